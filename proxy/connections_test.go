package proxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A connection that nobody uses is closed here first, so that no POST meets one that the API closes.
func TestIdleConnectionsAreClosedBeforeTheAPIDoes(t *testing.T) {
	if got := newConnections(0).standard.IdleConnTimeout; got != 4*time.Second {
		t.Errorf("by default they are kept %v, want 4s: Node closes its own after 5s", got)
	}
	closed := make(chan struct{})
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	api.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	api.Start()
	defer api.Close()
	res, err := newConnections(50 * time.Millisecond).RoundTrip(httptest.NewRequest(http.MethodPost, api.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the unused connection is there after 10 s, want it closed after 50 ms")
	}
}
