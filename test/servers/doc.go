// Package servers starts the real servers that tests run against, on free loopback ports and in temporary
// folders, and does to them what happens to servers: stops, kills and freezes them, and starts them again.
//
// It fails where a server's program is missing; `make setup` installs them.
package servers
