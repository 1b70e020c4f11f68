// Package vanish tests the service with connections whose packets are dropped: the other end is
// silent, and nobody closes or resets the connection. It needs Linux's network namespaces and
// iproute2. Each test runs in its own namespaces, which end with it. It needs root only if users
// may not create namespaces.
package vanish
