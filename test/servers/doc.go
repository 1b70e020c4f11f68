// Package servers starts the real servers that tests use, on free loopback ports and in temporary
// folders. Tests can stop, kill, freeze and restart them.
//
// A test fails if a server's program is missing; `make setup` installs them.
package servers
