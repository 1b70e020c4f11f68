package handlers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// heartbeat keeps proxies from closing a quiet stream, and finds out browsers that are gone.
const heartbeat = 15 * time.Second

// reconnectSpread keeps all listeners of a replica that stops from coming back at the same moment.
const reconnectSpread = time.Second

// events answers GET /bff/events: what happens to this session, as server-sent events. An
// EventSource can't send X-CSRF, so Fetch Metadata and Origin alone guard it (WS5). Listening is no
// activity.
func (h *Handlers) events(c echo.Context) error {
	r := c.Request()
	if err := h.requireOwnOrigin(r); err != nil {
		return err
	}
	s, err := h.Sessions.FromRequest(r)
	if err != nil {
		return err
	}
	changes, stop := h.Sessions.Subscribe(s.Name)
	defer stop()
	// Again, now that nothing can slip by: an end between the look-up and the subscription is heard of by nobody.
	if s, err = h.Sessions.Get(r.Context(), s.Name); err != nil {
		return err
	}
	stream := eventStream{c.Response()}
	stream.open()
	if err := stream.send("session", stateOf(s)); err != nil {
		return nil // the browser is gone; there is nobody to tell
	}
	h.follow(r, stream, s, changes)
	return nil
}

// follow passes events on until the session ends or the browser goes away.
func (h *Handlers) follow(r *http.Request, stream eventStream, s *session.Session, changes <-chan session.Event) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	end := time.NewTimer(expiry(s).Sub(h.Now()))
	defer end.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-h.Stopping.Done():
			_ = stream.retry(time.Duration(rand.N(int64(reconnectSpread)))) // another replica takes over
			return
		case <-beat.C:
			if stream.comment() != nil {
				return
			}
		case <-end.C:
			now, err := h.Sessions.Get(r.Context(), s.Name)
			if loggedOut(err) {
				_ = stream.ended(session.ReasonExpired)
				return
			}
			wait := time.Second // the store can't be asked: not an end, ask again
			if err == nil {
				wait = max(expiry(now).Sub(h.Now()), time.Second) // activity moved the end
			}
			end.Reset(wait)
		case e, open := <-changes:
			if !open {
				return
			}
			if e.Kind == session.Ended {
				_ = stream.ended(e.Reason)
				return
			}
			if stream.send("session", stateOf(e.Session)) != nil {
				return
			}
			end.Reset(max(expiry(e.Session).Sub(h.Now()), 0))
		}
	}
}

// eventStream writes text/event-stream (HTML Living Standard §9.2).
type eventStream struct{ w *echo.Response }

func (e eventStream) open() {
	e.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	e.w.Header().Set("X-Accel-Buffering", "no") // nginx holds streams back otherwise
	e.w.WriteHeader(http.StatusOK)
}

func (e eventStream) send(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	return e.write("event: " + name + "\ndata: " + string(b) + "\n\n")
}

func (e eventStream) ended(reason session.Reason) error {
	return e.send("ended", map[string]string{"reason": reason.Public()})
}

// retry tells the browser how long to wait before it connects again.
func (e eventStream) retry(d time.Duration) error {
	return e.write(fmt.Sprintf("retry: %d\n\n", d.Milliseconds()))
}

func (e eventStream) comment() error { return e.write(":\n\n") }

func (e eventStream) write(s string) error {
	if _, err := e.w.Write([]byte(s)); err != nil {
		return err
	}
	e.w.Flush()
	return nil
}
