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

// A Mood is how the provider answers token requests.
type Mood string

// The moods.
const (
	Well    Mood = "well"
	Failing Mood = "failing" // 503 at once, and nothing is done
	Hanging Mood = "hanging" // no answer, now or later, and nothing is done
	Late    Mood = "late"    // everything is done, and the answer comes seconds later
)

// lateBy is how late a late answer is: most of an access token's life is over by then.
const lateBy = 1500 * time.Millisecond

// A moodyProvider is the development provider with token requests that fare as its mood is when they come.
type moodyProvider struct {
	*devprovider.Provider

	mood atomic.Value // a Mood
}

// ServeHTTP implements http.Handler.
func (p *moodyProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		p.Provider.ServeHTTP(w, r)
		return
	}
	switch p.mood.Load() {
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

// answerLate does what was asked even if the caller goes away meanwhile, as providers do.
func (p *moodyProvider) answerLate(w http.ResponseWriter, r *http.Request) {
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
