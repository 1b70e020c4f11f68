package devprovider

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

const sessionCookie = "devprovider_session"

// A browserSession is a browser that is logged in at the provider, so that the next login needs no
// password. clients is guarded by storage.mu; the rest never changes.
type browserSession struct {
	cookie, sid, subject string
	authTime             time.Time
	clients              []string // who was given an ID token with this sid
}

type sessionKey struct{}

func withSession(ctx context.Context, s *browserSession) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// sessionFrom is the browser's session; op hands its storage a context, never the request.
func sessionFrom(ctx context.Context) *browserSession {
	s, _ := ctx.Value(sessionKey{}).(*browserSession)
	return s
}

func (s *storage) sessionOf(r *http.Request) *browserSession {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[c.Value]
}

// finish marks an authorization request as logged in, in a new browser session.
func (s *storage) finish(id string, u User) (*browserSession, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.attempts[id]
	if !ok || a.session != nil {
		return nil, false
	}
	session := &browserSession{
		cookie: rand.Text(), sid: rand.Text(), subject: u.Subject,
		authTime: time.Now().Truncate(time.Second), clients: []string{a.req.ClientID},
	}
	done := *a // others may be reading a
	done.session = session
	s.attempts[id] = &done
	s.sessions[session.cookie] = session
	s.counts.Logins++
	return session, true
}

// join notes that a client was let in on a session that was there already.
func (s *storage) join(session *browserSession, clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(session.clients, clientID) {
		session.clients = append(session.clients, clientID)
	}
}

// end removes a session and returns the clients that know it, but for one. Refresh tokens live on:
// whoever asked for offline_access has to revoke them (Back-Channel Logout §2.7).
func (s *storage) end(session *browserSession, except string) []registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.cookie)
	var told []registration
	for _, id := range session.clients {
		if id != except && s.clients[id].BackchannelLogoutURI != "" {
			told = append(told, s.clients[id])
		}
	}
	return told
}

// TerminateSessionFromRequest is RP-initiated logout: it ends the session that the ID token was
// issued in and tells the other clients.
func (s *storage) TerminateSessionFromRequest(ctx context.Context, req *op.EndSessionRequest) (string, error) {
	session := sessionFrom(ctx)
	if hint := req.IDTokenHintClaims; hint != nil {
		session = s.sessionBySID(hint.SessionID)
	}
	if session != nil {
		s.notify(ctx, session, s.end(session, req.ClientID))
	}
	return req.RedirectURI, nil
}

func (s *storage) sessionBySID(sid string) *browserSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		if session.sid == sid {
			return session
		}
	}
	return nil
}

// TerminateSession is never called by op, which prefers TerminateSessionFromRequest.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }
