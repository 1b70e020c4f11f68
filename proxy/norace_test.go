//go:build !race

package proxy

// raced: the race detector does not watch.
const raced = false
