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

// A browserSession is a browser's session at the provider, with which the next login needs no
// password. storage.mu guards clients; the other fields never change.
type browserSession struct {
	cookie, sid, subject string
	authTime             time.Time
	clients              []string // ids of the clients that have an ID token with this sid
}

type sessionKey struct{}

func withSession(ctx context.Context, s *browserSession) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// sessionFrom is the browser's session, or nil. It is in the context because op does not pass the
// request to its storage.
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
	done := *a // a itself may be read concurrently
	done.session = session
	s.attempts[id] = &done
	s.sessions[session.cookie] = session
	s.counts.Logins++
	return session, true
}

// join notes that a client used an existing session.
func (s *storage) join(session *browserSession, clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(session.clients, clientID) {
		session.clients = append(session.clients, clientID)
	}
}

// end removes a session and returns the clients to send logout tokens to, without except. Refresh
// tokens stay valid: a client with offline_access has to revoke them (Back-Channel Logout §2.7).
func (s *storage) end(session *browserSession, except string) []registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.cookie)
	var notify []registration
	for _, id := range session.clients {
		if id != except && s.clients[id].BackchannelLogoutURI != "" {
			notify = append(notify, s.clients[id])
		}
	}
	return notify
}

// TerminateSessionFromRequest is RP-initiated logout: it ends the session of the ID token and sends
// logout tokens to the other clients.
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

// TerminateSession is not called: op prefers TerminateSessionFromRequest.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }
