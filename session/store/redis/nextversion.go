//go:build layoutnext

package redis

// version is one more than this build's: tests have such a build run beside this one.
const version = 2
