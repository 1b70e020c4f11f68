// Package faults tests that faults log nobody out. It runs three replicas behind nginx with a
// store, a provider that detects reuse of refresh tokens, and users who send requests, log in and
// log out, while processes are killed and frozen, links are cut, and the provider fails.
//
// It judges by what users, provider and API observe, never by what the service reports of itself.
// In CI it runs a fixed list of faults; CHAOS=10m makes it inject random ones for ten minutes.
package faults
