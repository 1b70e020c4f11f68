package cluster

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/demo/devprovider"
)

// A Mode is how the provider answers token requests.
type Mode string

// The modes.
const (
	Well    Mode = "well"
	Failing Mode = "failing" // answers 503 at once without processing the request
	Hanging Mode = "hanging" // never answers and does not process the request
	Late    Mode = "late"    // processes the request and answers after lateBy
)

// lateBy is the delay of a late answer.
const lateBy = 1500 * time.Millisecond

// A faultyProvider is the development provider, with a mode for token requests.
type faultyProvider struct {
	*devprovider.Provider

	mode atomic.Value // a Mode
}

// ServeHTTP implements http.Handler.
func (p *faultyProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		p.Provider.ServeHTTP(w, r)
		return
	}
	switch p.mode.Load() {
	case Failing:
		http.Error(w, "the provider is down", http.StatusServiceUnavailable)
	case Hanging:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Late:
		p.answerLate(w, r)
	default:
		p.Provider.ServeHTTP(w, r)
	}
}

// answerLate processes the request even if the caller disconnects meanwhile, as providers do.
func (p *faultyProvider) answerLate(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	p.Provider.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	select {
	case <-time.After(lateBy):
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the caller may be gone
}
