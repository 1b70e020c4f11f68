//go:build race

package proxy

// raced: the race detector watches, and everything takes six times as long.
const raced = true
