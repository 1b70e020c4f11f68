package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network of one server: what is dialled is accepted.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

// Accept implements net.Listener.
func (p pipes) Accept() (net.Conn, error) {
	if c, open := <-p; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A slowBody is a caller's: it has something to give after each pause, and then no more.
type slowBody struct {
	pieces int
	pause  time.Duration
	last   atomic.Pointer[time.Time] // when the last byte was given
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	if b.pieces == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.pause)
	b.pieces--
	now := time.Now()
	b.last.Store(&now)
	return copy(p, "ten bytes."), nil
}

// What the caller takes to send its body is no fault of the API, and what the API takes
// after that, or lets lie, is.
func TestTheRoutesTimeoutCountsTheAPIsTimeAlone(t *testing.T) {
	const timeout = 2 * time.Second
	readAll := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	think := func(r *http.Request, d time.Duration) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
	for name, tc := range map[string]struct {
		api    http.HandlerFunc
		pieces int
		pause  time.Duration
		want   error
		within time.Duration // of the last byte
	}{
		"a slow caller, an API that answers at once": {
			api:    func(_ http.ResponseWriter, r *http.Request) { readAll(r) },
			pieces: 20, pause: time.Second,
		},
		"a caller that pauses longer than the timeout": {
			api:    func(_ http.ResponseWriter, r *http.Request) { readAll(r) },
			pieces: 2, pause: 10 * timeout,
		},
		"an API that thinks for almost the timeout": {
			api:    func(_ http.ResponseWriter, r *http.Request) { readAll(r); think(r, timeout-time.Millisecond) },
			pieces: 5, pause: time.Second,
		},
		"an API that says nothing": {
			api:    func(_ http.ResponseWriter, r *http.Request) { readAll(r); think(r, time.Hour) },
			pieces: 5, pause: time.Second,
			want: errFirstByte, within: timeout,
		},
		"an API that says that it works on it": {
			api: func(w http.ResponseWriter, r *http.Request) {
				readAll(r)
				for range 100 {
					w.WriteHeader(http.StatusProcessing)
					think(r, time.Second)
				}
			},
			pieces: 5, pause: time.Second,
			want: errFirstByte, within: timeout,
		},
		"an API that reads nothing": {
			api:    func(_ http.ResponseWriter, r *http.Request) { think(r, time.Hour) },
			pieces: 1 << 20, pause: time.Millisecond,
			want: errFirstByte, within: timeout,
		},
		"an API that answers before the body is there": {
			api:    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
			pieces: 1 << 20, pause: time.Second,
		},
		"a call without a body": {
			api:  func(_ http.ResponseWriter, r *http.Request) { think(r, time.Hour) },
			want: errFirstByte, within: timeout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := make(pipes)
				ctx, cancel := context.WithCancel(t.Context())
				srv := &http.Server{Handler: http.HandlerFunc(tc.api), BaseContext: func(net.Listener) context.Context { return ctx }}
				go func() { _ = srv.Serve(network) }() // ends with the listener
				transport := newTransport(timeout)
				transport.DialContext = network.dial
				body := &slowBody{pieces: tc.pieces, pause: tc.pause}
				began := time.Now()
				body.last.Store(&began)
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://api/", io.NopCloser(body))
				if err != nil {
					t.Fatal(err)
				}
				if tc.pieces == 0 {
					r.Body = http.NoBody
				}
				sending := &retrying{next: &connections{standard: transport}}
				res, err := sending.once(r, sending.prepareResend(r, nil), timeout)
				if !errors.Is(err, tc.want) {
					t.Errorf("err = %v, want %v", err, tc.want)
				}
				if after := time.Since(*body.last.Load()); tc.want != nil && after != tc.within {
					t.Errorf("it came %v after the caller's last byte, want %v", after, tc.within)
				}
				if res != nil {
					_ = res.Body.Close()
				}
				cancel()
				transport.CloseIdleConnections()
				_ = srv.Close()
				time.Sleep(time.Minute) // what still sleeps gets to know
			})
		})
	}
}

// A request that is sent again after a 401 has the whole of the timeout again, and the rest of its body,
// which the caller has yet to send, is the caller's time there, too.
func TestARepeatHasItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{}, 1)
		first := startAPIClock(time.Second, func() { late <- struct{}{} })
		time.Sleep(900 * time.Millisecond)
		if !first.stop() {
			t.Error("an API in time is called late")
		}
		second := startAPIClock(time.Second, func() { late <- struct{}{} })
		body := first.watch(&http.Request{Body: io.NopCloser(strings.NewReader("x"))}).Body
		_, _ = io.ReadAll(body) // the first's transport may read on; its clock stays where it is
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if len(late) != 0 || !second.stop() {
			t.Error("an API in time is called late")
		}
		time.Sleep(time.Hour)
		if len(late) != 0 {
			t.Error("a clock went on after its end")
		}
	})
}
