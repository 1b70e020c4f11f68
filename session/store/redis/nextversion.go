//go:build layoutnext

package redis

// version is one higher than this build's, so that tests can run the next build beside this one.
const version = 2
