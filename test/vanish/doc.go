// Package vanish shows what the service does when packets vanish: connections whose other end is silent,
// without a reset or an end. It needs Linux's network namespaces and iproute2; tests run in namespaces of
// their own, which go with them, and need no root where users may make namespaces.
package vanish
