package odd

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// An Interceptor is middleware of an endpoint. It calls next, or answers itself.
type Interceptor func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)

// Intercept puts i in front of an endpoint and of its earlier interceptors. The request is already
// recorded and its form parsed. undo removes i.
func (p *Provider) Intercept(endpoint string, i Interceptor) (undo func()) {
	var off atomic.Bool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intercepts[endpoint] = append(p.intercepts[endpoint], func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if off.Load() {
			next(w, r)
			return
		}
		i(w, r, next)
	})
	return func() { off.Store(true) }
}

// Next returns an Interceptor that is i for the next n requests, and then does nothing.
func Next(n int, i Interceptor) Interceptor {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if seen.Add(1) <= int64(n) {
			i(w, r, next)
			return
		}
		next(w, r)
	}
}

// Answer answers with this status, content type and body, and headers given as name, value, ….
func Answer(status int, contentType, body string, headers ...string) Interceptor {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// OAuthError answers with an error of RFC 6749 §5.2.
func OAuthError(status int, code string, headers ...string) Interceptor {
	return Answer(status, "application/json", `{"error":"`+code+`"}`, headers...)
}

// HTML answers 200 with a page, as a captive portal does.
func HTML() Interceptor {
	return Answer(http.StatusOK, "text/html", "<!doctype html><title>Welcome to the Wi-Fi</title>")
}

// Redirect answers with this redirect.
func Redirect(status int, to string) Interceptor {
	return Answer(status, "text/plain", "", "Location", to)
}

// Drop reads the request and closes the connection without an answer.
func Drop() Interceptor {
	return func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }
}

// DropAnswer processes the request and closes the connection instead of answering, as if the answer
// were lost.
func DropAnswer() Interceptor {
	return func(_ http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(nowhere{}, r)
		panic(http.ErrAbortHandler)
	}
}

// Hang does not answer until release is closed or the client goes away; then the endpoint answers.
func Hang(release <-chan struct{}) Interceptor {
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		select {
		case <-release:
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

// Delay waits before the endpoint answers.
func Delay(d time.Duration) Interceptor {
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		select {
		case <-time.After(d):
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

// SetDown makes every endpoint close the connection without an answer, until the returned function
// is called.
func (p *Provider) SetDown() (up func()) {
	var undo []func()
	for endpoint := range paths {
		undo = append(undo, p.Intercept(endpoint, Drop()))
	}
	return func() {
		for _, u := range undo {
			u()
		}
	}
}

// nowhere is a ResponseWriter that discards the answer.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
