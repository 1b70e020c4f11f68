package world

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// An API is the upstream. It records requests and answers them as Respond says.
type API struct {
	*httptest.Server
	Mu     sync.Mutex // guards seen and answer
	Seen   []*http.Request
	Answer http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Mu.Lock()
	a.Seen = append(a.Seen, r.Clone(context.Background()))
	answer := a.Answer
	a.Mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

// Respond makes the API answer with h from now on; nil means the default answer.
func (a *API) Respond(h http.HandlerFunc) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	a.Answer = h
}

// Requests returns the requests so far, the oldest first.
func (a *API) Requests() []*http.Request {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return a.Seen
}
