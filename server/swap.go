package server

import (
	"net/http"
	"sync/atomic"
)

// A swappable is what a listener serves with: the whole composed handler, endpoints, routes and
// app, behind one pointer. Each request is served from its beginning to its end by the handler
// that was there when it began. It is safe for concurrent use.
type swappable struct {
	current atomic.Pointer[http.Handler] // not nil once the server is built
}

// swap puts h in the place of what there was. Requests under way go on with that.
func (s *swappable) swap(h http.Handler) { s.current.Store(&h) }

// ServeHTTP implements http.Handler.
func (s *swappable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.current.Load()).ServeHTTP(w, r)
}
