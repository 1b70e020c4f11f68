// Package faults shows that nobody notices a fault: three replicas behind nginx, a store, a provider that
// detects reuse, and users who call all the time, log in and log out, while processes are killed and frozen,
// links are cut and the provider fails.
//
// It judges by what the users, the provider and the API have seen, never by what the service says of
// itself. Its length in CI is bounded; CHAOS=10m makes it go on with faults at random.
package faults
