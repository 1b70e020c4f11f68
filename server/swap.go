package server

import (
	"net/http"
	"sync/atomic"
)

// A swappable is the handler of a listener: endpoints, routes and app behind one pointer, which can
// be replaced at once. The handler that is current when a request begins serves it to the end. It
// is safe for concurrent use.
type swappable struct {
	current atomic.Pointer[http.Handler] // not nil once the server is built
}

// swap replaces the handler. Requests under way keep the old one.
func (s *swappable) swap(h http.Handler) { s.current.Store(&h) }

// ServeHTTP implements http.Handler.
func (s *swappable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.current.Load()).ServeHTTP(w, r)
}
