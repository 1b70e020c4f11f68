//go:build !layoutnext

package redis

// version is the layout version of this build. See layout.go for what may change with it.
const version = 1
