package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What HTTP/2 says was not processed is sent again, with its whole body; what may have been processed never is,
// whatever the caller says of its idempotency. Only safe requests without a body are net/http's to repeat.
func TestNothingIsProcessedTwice(t *testing.T) {
	api := newScripted(t)
	front := newFront(t, api.URL, api.certificate())
	small, large := strings.Repeat("s", 2<<10), strings.Repeat("l", 200<<10)
	call := func(method, path, body string, chunked bool) int {
		t.Helper()
		var content io.Reader = strings.NewReader(body)
		if chunked {
			content = io.MultiReader(content)
		}
		if body == "" {
			content = nil
		}
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+path, content)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", "1")
		r.Header.Set("X-Idempotency-Key", "1")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := call("GET", "/api/ok/warm", "", false); got != http.StatusOK {
		t.Fatalf("first call = %d", got)
	}
	for script, want := range map[string]struct{ status, processed int }{
		"ok":                             {200, 1},
		"refused,ok":                     {200, 1},
		"refused,refused,refused,ok":     {200, 1},
		"refused-late,ok":                {200, 1},
		"goaway,ok":                      {200, 1},
		"goaway-angry,ok":                {200, 1},
		"goaway-all-then-refused,ok":     {200, 1},
		"goaway,refused,goaway,ok":       {200, 1},
		"internal,ok":                    {502, 1},
		"protocol,ok":                    {502, 1},
		"cancel,ok":                      {502, 1},
		"goaway-after,ok":                {502, 1},
		"hangup,ok":                      {502, 1},
		"refused,internal,ok":            {502, 1},
		"goaway,protocol,ok":             {502, 1},
		"refused,goaway-after,ok":        {502, 1},
		"refused-late,hangup,ok":         {502, 1},
		"goaway-angry,refused-late,ok":   {200, 1},
		"refused-late,refused-late,ok":   {200, 1},
		"goaway-all-then-refused,cancel": {502, 1},
	} {
		for name, c := range map[string]struct {
			method, body string
			chunked      bool
		}{
			"POST":         {"POST", small, false},
			"POST chunked": {"POST", small, true},
			"POST empty":   {"POST", "", false},
			"PATCH":        {"PATCH", small, false},
			"DELETE":       {"DELETE", "", false},
		} {
			path := fmt.Sprintf("/api/%s/%s", script, strings.ReplaceAll(name, " ", "-"))
			status := call(c.method, path, c.body, c.chunked)
			processed, body := api.count(strings.TrimPrefix(path, "/api"))
			if status != want.status || processed != want.processed || !bytes.Equal(body, []byte(c.body)) {
				t.Errorf("%s, %s = %d, processed %d times with %d bytes; want %d, %d times, %d bytes",
					script, name, status, processed, len(body), want.status, want.processed, len(c.body))
			}
		}
	}
	// A large body is sent again as long as no more of it was read than is kept.
	for script, want := range map[string][]int{"ok": {200, 1}, "refused-late,ok": {502, 0}, "internal,ok": {502, 1}} {
		path := "/api/" + script + "/large"
		status := call("POST", path, large, false)
		if processed, _ := api.count(strings.TrimPrefix(path, "/api")); status != want[0] || processed != want[1] {
			t.Errorf("%s, large = %d, processed %d times; want %v", script, status, processed, want)
		}
	}
}

// Over HTTP/1.1 a connection that breaks says nothing of what was processed. Only a request of which nothing was
// written goes out again.
func TestBrokenConnectionRepeatsNothingThatWasWritten(t *testing.T) {
	var processed atomic.Int32
	hangUp := atomic.Bool{}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if processed.Add(1); hangUp.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("Idempotency-Key") != "1" {
			t.Errorf("the API got no key: %v", r.Header)
		}
	}))
	defer api.Close()
	front := newFront(t, api.URL, nil)
	post := func(method, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+"/api/x", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", "1")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for _, c := range [][2]string{{"POST", "body"}, {"POST", ""}, {"DELETE", ""}, {"PUT", "body"}} {
		hangUp.Store(false)
		if got := post(c[0], c[1]); got != http.StatusOK { // so that the connection is a reused one
			t.Fatalf("first = %d", got)
		}
		hangUp.Store(true)
		processed.Store(0)
		if got := post(c[0], c[1]); got != http.StatusBadGateway || processed.Load() != 1 {
			t.Errorf("%s %q = %d, processed %d times; want 502, once", c[0], c[1], got, processed.Load())
		}
	}
}

// broken is a connection on which nothing can be written any more once an answer has come.
type broken struct {
	net.Conn
	answered atomic.Bool
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.answered.Store(n > 0 || b.answered.Load())
	return n, err
}

func (b *broken) Write(p []byte) (int, error) {
	if b.answered.Load() {
		return 0, syscall.EPIPE
	}
	return b.Conn.Write(p)
}

// A POST that meets a connection which the API has just closed is no failure, as long as nothing of it was written.
func TestRequestOfWhichNothingWasWrittenGoesOutAgain(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer api.Close()
	sending := &retrying{next: newConnections(0)}
	dials := 0
	sending.next.standard.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &broken{Conn: c}, err
	}
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL, io.NopCloser(strings.NewReader("body")))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 4
		res, err := sending.once(r, sending.prepareResend(r, nil), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(got) != "body" {
			t.Errorf("the API got %q", got)
		}
	}
	if dials != 2 {
		t.Errorf("connections = %d, want 2", dials)
	}
}

// A body that one attempt was still waiting for is whole in the next.
func TestNextAttemptGetsWhatTheLastOneWasWaitingFor(t *testing.T) {
	source, caller := io.Pipe()
	k := &replayBody{source: source}
	first, _ := k.rewind()
	waiting := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(first)
		waiting <- err
	}()
	_, _ = caller.Write([]byte("one "))
	second, err := k.rewind()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = caller.Write([]byte("two "))
		_, _ = caller.Write([]byte("three"))
		_ = caller.Close()
	}()
	if got, err := io.ReadAll(second); string(got) != "one two three" || err != nil {
		t.Errorf("second attempt = %q, %v", got, err)
	}
	if err := <-waiting; !errors.Is(err, errSuperseded) {
		t.Errorf("first attempt = %v, want %v", err, errSuperseded)
	}
}
