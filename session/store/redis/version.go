//go:build !layoutnext

package redis

// version is that of the layout that this build makes. See layout.go for what may change with it.
const version = 1
