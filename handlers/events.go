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
	// heartbeat keeps proxies from closing a quiet stream, and finds out browsers that are gone.
	heartbeat = 15 * time.Second
	// reconnectSpread keeps all listeners of a replica that stops from coming back at the same moment.
	reconnectSpread = time.Second
	// askAgain is how soon a session is looked at again that should have run out, and can't be told.
	askAgain = time.Second
	// endedID is the id of the last event of a session.
	endedID = "ended"
	// newTicketPause gives the answer that bears a session's new ticket time to reach the browser.
	newTicketPause = 500 * time.Millisecond
	// newTicketTime is for how long a browser that still shows the old one is taken to be about to get the new.
	newTicketTime = 10 * time.Second
)

// events answers GET /bff/events: what happens to this session, as server-sent events, wherever it is done. An
// EventSource can't send X-CSRF, so Fetch Metadata and Origin alone guard it (WS5). Listening is no
// activity.
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
		return problem.New(problem.RateLimited).Because("this session has too many event streams open")
	}
	changes, stop := h.o.Sessions.Subscribe(s.Name)
	defer stop()
	// Again, now that nothing can slip by: an end between the look-up and the subscription is heard of by nobody.
	if s, err = h.o.Sessions.Get(r.Context(), s.Name); err != nil {
		return h.missedEnd(c, err)
	}
	h.listeners.Inc()
	defer h.listeners.Dec()
	l := &listener{Handlers: h, stream: newEventStream(c.Response()), session: s}
	if err := l.begin(); err != nil {
		return nil // the browser is gone; there is nobody to tell
	}
	l.follow(r, changes)
	return nil
}

// missedEnd answers a browser that comes back to a session that ended while it was away: it is told so once, and
// then not to come again (204, HTML Living Standard §9.2.3). One that comes back before it has the ticket that its
// session goes on under is sent away to come again. To any other err is the answer.
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
		_ = newEventStream(c.Response()).ended(reason) // if the browser is gone there is nobody to tell
	}
	return nil
}

// A listener is one browser that hears of its session.
type listener struct {
	*Handlers
	stream  eventStream
	session *session.Session // as it was told last
	warned  time.Time        // the expiry that the browser was told is near; zero: none
}

func (l *listener) begin() error {
	return l.stream.send("session", idOf(l.session), stateOf(l.session))
}

// idOf is different for each state of a session, so that a browser can tell whether it has missed one.
func idOf(s *session.Session) string {
	return strconv.FormatUint(s.Version, 10) + "." + strconv.FormatInt(s.LastActive.UnixMilli(), 36)
}

// follow passes events on until the session ends, the browser goes away, or the service stops.
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
			wait, over := l.ring(r)
			if over {
				return
			}
			alarm.Reset(wait)
		case e, open := <-changes:
			if !open {
				return
			}
			if e.Kind == session.Ended {
				l.over(e.Reason)
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

// over tells of the end. A session that goes on under a new ticket is none: the browser comes back in a moment, with
// its new cookie, which it gets only after this.
func (l *listener) over(reason session.Reason) {
	if reason == session.ReasonContinued {
		_ = l.stream.retry(newTicketPause)
		return
	}
	_ = l.stream.ended(reason) // if the browser is gone there is nobody to tell
}

// changed tells of a newer state, and of a renewal by name. What was only looked at anew is no news.
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
	if same && !renewed { // a write that changes nothing that is told
		return nil
	}
	return l.stream.send("session", idOf(s), stateOf(s))
}

// untilAlarm is the time to the next moment that concerns the session's end: the notice, or the end itself.
func (l *listener) untilAlarm() time.Duration {
	end := l.session.Expires()
	if notice := end.Add(-l.o.ExpiringNotice); l.o.ExpiringNotice > 0 && !l.warned.Equal(end) {
		end = notice
	}
	return max(end.Sub(l.o.Now()), 0)
}

// ring tells that the session is about to end, or that it has. Activity may have moved the end.
func (l *listener) ring(r *http.Request) (wait time.Duration, over bool) {
	s, err := l.o.Sessions.Get(r.Context(), l.session.Name)
	switch {
	case errors.Is(err, session.ErrSessionExpired):
		_ = l.stream.ended(session.ReasonExpired) // if the browser is gone there is nobody to tell
		return 0, true
	case loggedOut(err):
		return askAgain, false // whoever ended it says why
	case err != nil:
		return askAgain, false // the store can't be asked: not an end
	}
	l.session = s
	end := s.Expires()
	left := end.Sub(l.o.Now())
	if l.o.ExpiringNotice > 0 && left <= l.o.ExpiringNotice && !l.warned.Equal(end) {
		l.warned = end
		if l.stream.send("expiring", "", map[string]any{"expires_at": timestamp(end), "in_seconds": int(max(left, 0).Seconds())}) != nil {
			return 0, true
		}
	}
	return max(l.untilAlarm(), time.Millisecond), false
}
