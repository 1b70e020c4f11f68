package handlers

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
)

const (
	// heartbeat keeps proxies from closing an idle stream, and detects browsers that are gone.
	heartbeat = 15 * time.Second
	// reconnectSpread spreads the reconnects when a replica stops, so that they don't all come at
	// once.
	reconnectSpread = time.Second
	// expiryRetry is when to look again at a session that should have expired, if its state is
	// unknown.
	expiryRetry = time.Second
	// endedID is the id of the last event of a session.
	endedID = "ended"
	// newTicketPause gives the response that sets a session's new ticket time to reach the browser.
	newTicketPause = 500 * time.Millisecond
	// newTicketTime is how long a browser that still sends the old ticket is assumed to receive the
	// new one soon.
	newTicketTime = 10 * time.Second
)

// events answers GET /bff/events with server-sent events about this session, at whichever replica
// they happen. An EventSource can't send X-CSRF, so only Fetch Metadata and Origin guard it (WS5).
// Listening does not count as activity.
func (h *Handlers) events(c echo.Context) error {
	r := c.Request()
	if err := h.admit(r, site.ForStream); err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(r)
	if err != nil {
		return h.missedEnd(c, err)
	}
	if most := h.o.MaxEventStreams; most > 0 && h.o.Sessions.Subscribers(s.Name) >= most {
		return problem.New(problem.RateLimited).WithDetail("this session has too many event streams open")
	}
	changes, stop := h.o.Sessions.Subscribe(s.Name)
	defer stop()
	// Read it again: the session may have ended between the first look-up and the subscription.
	if s, err = h.o.Sessions.Get(r.Context(), s.Name); err != nil {
		return h.missedEnd(c, err)
	}
	h.listeners.Inc()
	defer h.listeners.Dec()
	l := &listener{Handlers: h, stream: newEventStream(c.Response()), session: s}
	if err := l.begin(); err != nil {
		return nil // the browser is gone
	}
	l.follow(r, changes)
	return nil
}

// missedEnd answers an EventSource that reconnects to a session that ended while it was
// disconnected. It sends the end once; the next time it answers 204, and the browser stops
// reconnecting (HTML Living Standard §9.2.3). If the session continues under a new ticket that the
// browser does not have yet, it tells the browser to reconnect. In all other cases it returns err.
func (h *Handlers) missedEnd(c echo.Context, err error) error {
	last := c.Request().Header.Get("Last-Event-ID")
	if last == "" || !loggedOut(err) {
		return err
	}
	if last == endedID {
		return c.NoContent(http.StatusNoContent)
	}
	name := h.o.Sessions.NameFromRequest(c.Request())
	reason, known := h.o.Sessions.EndReason(name)
	if errors.Is(err, session.ErrSessionExpired) {
		reason, known = session.ReasonExpired, true
	}
	switch {
	case !known:
		return err
	case h.o.Sessions.Continued(name, newTicketTime):
		_ = newEventStream(c.Response()).retry(newTicketPause)
	default:
		_ = newEventStream(c.Response()).ended(reason) // an error means that the browser is gone
	}
	return nil
}

// A listener is one open event stream.
type listener struct {
	*Handlers
	stream  eventStream
	session *session.Session // as last sent
	warned  time.Time        // the expiry for which `expiring` was sent; zero if none was
}

func (l *listener) begin() error {
	return l.stream.send("session", idOf(l.session), stateOf(l.session))
}

// idOf differs between the states of a session, so that a browser can tell whether it missed one.
func idOf(s *session.Session) string {
	return strconv.FormatUint(s.Version, 10) + "." + strconv.FormatInt(s.LastActive.UnixMilli(), 36)
}

// follow sends events until the session ends, the browser disconnects, or the service stops.
func (l *listener) follow(r *http.Request, changes <-chan session.Event) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	alarm := time.NewTimer(l.untilAlarm())
	defer alarm.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-l.o.Stopping.Done():
			_ = l.stream.retry(rand.N(reconnectSpread)) // another replica takes over
			return
		case <-beat.C:
			err = l.stream.comment()
		case <-alarm.C:
			wait, done := l.checkExpiry(r)
			if done {
				return
			}
			alarm.Reset(wait)
		case e, open := <-changes:
			if !open {
				return
			}
			if e.Session == nil {
				l.ended(e.Reason)
				return
			}
			err = l.changed(e.Session)
			alarm.Reset(l.untilAlarm())
		}
		if err != nil {
			return
		}
	}
}

// ended sends the session's end. A session that continues under a new ticket has not ended for the
// browser: it gets its new cookie only after this, so it is told to reconnect in a moment.
func (l *listener) ended(reason session.Reason) {
	if reason == session.ReasonContinued {
		_ = l.stream.retry(newTicketPause)
		return
	}
	_ = l.stream.ended(reason) // an error means that the browser is gone
}

// changed sends a newer state of the session, and an event of its own for a renewal. It sends
// nothing for a state that was sent before.
func (l *listener) changed(s *session.Session) error {
	if idOf(s) == idOf(l.session) {
		l.session = s
		return nil
	}
	renewed := s.Record.Renewals != l.session.Record.Renewals
	same := reflect.DeepEqual(stateOf(s), stateOf(l.session))
	l.session = s
	if renewed {
		expires := map[string]any{"access_token_expires_at": timestamp(s.Record.AccessTokenExpires)}
		if err := l.stream.send("renewed", "", expires); err != nil {
			return err
		}
	}
	if same && !renewed { // the write changed nothing that the event shows
		return nil
	}
	return l.stream.send("session", idOf(s), stateOf(s))
}

// untilAlarm is the time until the notice of the session's expiry is due, or else until the expiry.
func (l *listener) untilAlarm() time.Duration {
	end := l.session.Expires()
	if notice := end.Add(-l.o.ExpiringNotice); l.o.ExpiringNotice > 0 && !l.warned.Equal(end) {
		end = notice
	}
	return max(end.Sub(l.o.Now()), 0)
}

// checkExpiry looks the session up again, since activity may have moved its expiry, and sends that
// it will expire soon or has expired. It returns when to look again, or that the stream is done.
func (l *listener) checkExpiry(r *http.Request) (wait time.Duration, done bool) {
	s, err := l.o.Sessions.Get(r.Context(), l.session.Name)
	switch {
	case errors.Is(err, session.ErrSessionExpired):
		_ = l.stream.ended(session.ReasonExpired) // an error means that the browser is gone
		return 0, true
	case loggedOut(err):
		return expiryRetry, false // the event with the reason is still to come
	case err != nil:
		return expiryRetry, false // the store did not answer, which is not an end
	}
	l.session = s
	end := s.Expires()
	left := end.Sub(l.o.Now())
	if l.o.ExpiringNotice > 0 && left <= l.o.ExpiringNotice && !l.warned.Equal(end) {
		l.warned = end
		notice := map[string]any{"expires_at": timestamp(end), "in_seconds": int(max(left, 0).Seconds())}
		if l.stream.send("expiring", "", notice) != nil {
			return 0, true
		}
	}
	return max(l.untilAlarm(), time.Millisecond), false
}
