package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// An apiClock limits how long an API takes to begin its response. The time starts again after each
// read of the client's body and does not run while a read waits for the client. It runs while the
// API does not read what the client has sent. Interim responses (1xx) do not stop it. An apiClock
// is safe for concurrent use: the transport reads the body in its own goroutine.
type apiClock struct {
	limit time.Duration

	mu    sync.Mutex // guards the rest
	timer *time.Timer
	due   time.Time // zero while the time does not run
	late  bool
	// stopped means that there is a response or an error. The body may still be read.
	stopped bool
}

// startAPIClock starts a clock that calls late in its own goroutine once the API has taken limit.
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

// expire reports whether the API is late. It is not if the clock was paused or stopped at the
// moment when the timer fired.
func (c *apiClock) expire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due.IsZero() || time.Now().Before(c.due) {
		return false
	}
	c.due, c.late = time.Time{}, true
	return true
}

// watch makes reads of r's body pause the clock.
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

// pause stops the time, because the client is waited for.
func (c *apiClock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.due = time.Time{}
}

// restart starts the API's time from zero.
func (c *apiClock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.late && !c.stopped {
		c.due = time.Now().Add(c.limit)
		c.timer.Reset(c.limit)
	}
}

// stop stops the clock and reports whether the API was in time.
func (c *apiClock) stop() (inTime bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.due, c.stopped = time.Time{}, true
	return !c.late
}

// A clockedBody is a request body whose reads pause the clock.
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
