package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// The close codes of a WebSocket that this service ends (RFC 6455 §7.4). 4401 is in the range for
// private use; its last digits are those of the status 401.
const (
	closeSessionEnded = 4401
	closeGoingAway    = 1001
	closeRestart      = 1012 // the client may reconnect (IANA WebSocket Close Code Number Registry)
)

// A streamEnd is the reason why this service cuts a request, with the close code of a WebSocket.
type streamEnd struct {
	code   int
	reason string         // in the close frame; docs/endpoints.md lists them
	ended  session.Reason // why the session ended; "" if it goes on
}

// Error implements error.
func (o *streamEnd) Error() string { return "the stream was cut: " + o.reason }

// stopping ends WebSockets when the service stops.
var stopping = &streamEnd{code: closeGoingAway, reason: "service_restart"}

// continued ends the streams of a session that goes on under a new ticket. Apps reopen them.
var continued = &streamEnd{code: closeRestart, reason: "session_continued"}

// problem returns the code of the answer to a request that was cut before its response began.
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

// withSession returns a copy of ctx that is cancelled when the session ends, at this replica or
// another one. It checks the expiry itself, because the sweeper may be late and activity may have
// moved the expiry (WS4, SC12). The caller must call the returned function.
func (p *Proxy) withSession(ctx context.Context, rt *route, r *http.Request, s *session.Session) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	detach := p.o.Sessions.Attach(s.Name, func(reason session.Reason) { cancel(endOfSession(reason)) })
	stops := []func(){func() { cancel(nil) }, detach, p.atExpiry(ctx, s, cancel)}
	if rt.EndWithToken {
		limit := time.AfterFunc(s.Record.AccessTokenExpires.Sub(p.o.Now()), func() {
			cancel(&streamEnd{code: closeSessionEnded, reason: "token_expired"})
		})
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

// withService returns a copy of ctx that is cancelled when the service stops, for the WebSocket of
// a visitor. The caller must call the returned function.
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

// recheck is the pause before a session is checked again whose expiry has moved or can't be read.
const recheck = time.Second

// atExpiry cancels when the session has expired.
func (p *Proxy) atExpiry(ctx context.Context, s *session.Session, cancel context.CancelCauseFunc) (stop func()) {
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(max(s.Expires().Sub(p.o.Now()), 0), func() {
		<-armed
		now, err := p.o.Sessions.Get(ctx, s.Name)
		switch {
		case errors.Is(err, session.ErrSessionExpired):
			cancel(endOfSession(session.ReasonExpired))
		case errors.Is(err, session.ErrNoSession): // the function given to Attach is called with the reason
		case err != nil:
			timer.Reset(recheck)
		default:
			timer.Reset(max(now.Expires().Sub(p.o.Now()), recheck))
		}
	})
	close(armed)
	return func() { timer.Stop() }
}
