package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// An apiClock measures how long an API takes to begin its answer: it counts from the last byte that the
// caller has sent, and stands still while the caller is waited for. An API that stops reading what the
// caller has sent is measured too. Interim responses (1xx) begin no answer. It is safe for concurrent use:
// the transport reads the body in a goroutine of its own.
type apiClock struct {
	limit time.Duration

	mu    sync.Mutex // guards the rest
	timer *time.Timer
	due   time.Time // zero: the clock stands still
	late  bool
	// stopped: there is an answer, or a failure; the caller's body may still be read.
	stopped bool
}

// startAPIClock calls late in a goroutine of its own once the API has taken limit.
func startAPIClock(limit time.Duration, late func()) *apiClock {
	c := &apiClock{limit: limit}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = time.Now().Add(limit)
	c.timer = time.AfterFunc(limit, func() {
		if c.expire() {
			late()
		}
	})
	return c
}

// ring reports whether the API is late. The timer may have run out just as the clock was stopped.
func (c *apiClock) expire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due.IsZero() || time.Now().Before(c.due) {
		return false
	}
	c.due, c.late = time.Time{}, true
	return true
}

// watch has the clock stand still whenever r's body waits for the caller.
func (c *apiClock) watch(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	r.Body = &clockedBody{r.Body, c}
	if again := r.GetBody; again != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &clockedBody{body, c}, nil
		}
	}
	return r
}

// pause has the caller's time begin.
func (c *apiClock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.due = time.Time{}
}

// restart has the API's time begin, in full.
func (c *apiClock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.late && !c.stopped {
		c.due = time.Now().Add(c.limit)
		c.timer.Reset(c.limit)
	}
}

// stop ends the measuring, and reports whether the API was in time.
func (c *apiClock) stop() (inTime bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.due, c.stopped = time.Time{}, true
	return !c.late
}

// A clockedBody is what the transport reads of the caller's body.
type clockedBody struct {
	io.ReadCloser
	clock *apiClock
}

// Read implements io.Reader.
func (b *clockedBody) Read(p []byte) (int, error) {
	b.clock.pause()
	defer b.clock.restart()
	return b.ReadCloser.Read(p)
}
