package world

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Stream opens a stream and returns its lines; the channel is closed when it ends.
func (b *Browser) Stream(target string) <-chan string {
	b.T.Helper()
	req, err := http.NewRequestWithContext(b.T.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	res, err := (&http.Client{Jar: b.Client.Jar}).Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		b.T.Fatalf("open %s: %v", target, err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer res.Body.Close()
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if s.Text() != "" && s.Text() != ":" && !strings.HasPrefix(s.Text(), "id: ") {
				lines <- s.Text()
			}
		}
	}()
	return lines
}

// Next returns a stream's next line; false if the stream has ended.
func Next(t *testing.T, lines <-chan string, within time.Duration) (string, bool) {
	t.Helper()
	within = max(within, Busy)
	select {
	case line, open := <-lines:
		return line, open
	case <-time.After(within):
		t.Fatalf("nothing came in %v", within)
		return "", false
	}
}

// Busy is how long anything may take on a busy machine. test/load measures how long it takes on an
// idle one.
const Busy = 20 * time.Second

// ServeStreams makes the API answer with WebSockets and event streams that do not end by
// themselves.
func (g *World) ServeStreams() {
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("data: open\n\n"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, msg) != nil {
				return
			}
		}
	})
}

// WebSocket opens a WebSocket through a replica and checks that it works.
func (b *Browser) WebSocket(origin, path string) *websocket.Conn {
	b.T.Helper()
	c, _, err := websocket.Dial(b.T.Context(), origin+path, &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: b.Client.Jar}, HTTPHeader: http.Header{"Origin": {b.World.Origin}},
	})
	if err != nil {
		b.T.Fatalf("open a WebSocket: %v", err)
	}
	b.T.Cleanup(func() { _ = c.CloseNow() })
	if err := c.Write(b.T.Context(), websocket.MessageText, []byte(strings.Repeat("hi", 15_000))); err != nil {
		b.T.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	if _, msg, err := c.Read(b.T.Context()); err != nil || len(msg) != 30_000 {
		b.T.Fatalf("echo of %d bytes: %v", len(msg), err)
	}
	return c
}

// WantClosed waits until a WebSocket ends, and checks the code and reason of its close frame.
func WantClosed(t *testing.T, c *websocket.Conn, code int, reason string, within time.Duration) {
	t.Helper()
	within = max(within, Busy)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, _, err := c.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || int(closed.Code) != code || closed.Reason != reason {
		t.Errorf("the WebSocket ended with %v, want %d %q within %v", err, code, reason, within)
	}
}
