package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// The close codes of a WebSocket that this service ends (RFC 6455 §7.4). 4401 is in the range for private
// use, and reads like the 401 that a request would get.
const (
	closeSessionEnded = 4401
	closeGoingAway    = 1001
	closeRestart      = 1012 // come again (IANA WebSocket Close Code Number Registry)
)

// A streamEnd is why a request under way was cut: what its WebSocket is told.
type streamEnd struct {
	code   int
	reason string         // session_ended's reason as docs/endpoints.md lists it, or ours
	ended  session.Reason // of the session; "" when it goes on
}

// Error implements error.
func (o *streamEnd) Error() string { return "the stream was cut: " + o.reason }

// stopping is for streams that would never end by themselves when the service does.
var stopping = &streamEnd{code: closeGoingAway, reason: "service_restart"}

// continued is for the streams of a session that goes on under a new ticket: their apps open them anew.
var continued = &streamEnd{code: closeRestart, reason: "session_continued"}

// problem is the code of the answer to a request that was cut before it had one.
func (o *streamEnd) problem() problem.Code {
	switch o.ended {
	case session.ReasonExpired:
		return problem.SessionExpired
	case session.ReasonRefused:
		return problem.ReauthenticationRequired
	}
	return problem.NotAuthenticated
}

func endOfSession(reason session.Reason) *streamEnd {
	if reason == session.ReasonContinued {
		return continued
	}
	return &streamEnd{closeSessionEnded, reason.Public(), reason}
}

// withSession is ctx until the session ends, here or at another replica, whatever ended it. Its expiry is
// looked at when it comes, since the sweeper may be late and activity may have moved it (WS4, SC12). The function
// returned must be called.
func (p *Proxy) withSession(ctx context.Context, rt *route, r *http.Request, s *session.Session) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	detach := p.o.Sessions.Attach(s.Name, func(reason session.Reason) { cancel(endOfSession(reason)) })
	stops := []func(){func() { cancel(nil) }, detach, p.atExpiry(ctx, s, cancel)}
	if rt.EndWithToken {
		limit := time.AfterFunc(s.Record.AccessTokenExpires.Sub(p.o.Now()), func() { cancel(&streamEnd{code: closeSessionEnded, reason: "token_expired"}) })
		stops = append(stops, func() { limit.Stop() })
	}
	if isWebSocket(r) {
		stops = append(stops, p.atStop(cancel))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// withService is ctx until the service stops, for a WebSocket of a visitor. The function returned must be called.
func (p *Proxy) withService(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	forget := p.atStop(cancel)
	return ctx, func() {
		forget()
		cancel(nil)
	}
}

// atStop cancels when the service stops.
func (p *Proxy) atStop(cancel context.CancelCauseFunc) (forget func()) {
	if p.o.Stopping == nil {
		return func() {}
	}
	stop := context.AfterFunc(p.o.Stopping, func() { cancel(stopping) })
	return func() { stop() }
}

// recheck is how soon a session is looked at again that should have run out and has not, or can't be told.
const recheck = time.Second

// atExpiry cancels when the session has run out.
func (p *Proxy) atExpiry(ctx context.Context, s *session.Session, cancel context.CancelCauseFunc) (stop func()) {
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(max(s.Expires().Sub(p.o.Now()), 0), func() {
		<-armed
		now, err := p.o.Sessions.Get(ctx, s.Name)
		switch {
		case errors.Is(err, session.ErrSessionExpired):
			cancel(endOfSession(session.ReasonExpired))
		case errors.Is(err, session.ErrNoSession): // whoever ended it says why
		case err != nil:
			timer.Reset(recheck)
		default:
			timer.Reset(max(now.Expires().Sub(p.o.Now()), recheck))
		}
	})
	close(armed)
	return func() { timer.Stop() }
}
