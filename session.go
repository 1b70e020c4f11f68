package cloakroom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// A User is somebody whose login has been verified.
type User struct {
	Provider string // configured id
	Subject  string // the provider's sub: who it is, at that provider
	claims   json.RawMessage
}

// Claims reads the claims of the login into a struct or a map: what the ID token says and userinfo
// adds, without tokens.
func (u User) Claims(into any) error {
	if len(u.claims) == 0 {
		return nil
	}
	if err := json.Unmarshal(u.claims, into); err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	return nil
}

// A Session is a logged-in User. It is a snapshot: it says nothing of what happens later.
type Session struct {
	User
	ID      string    // for logs and the admin API; it opens nothing
	Expires time.Time // if nothing more happens: idle or absolute, whichever comes first

	found   *session.Session
	service *Service
}

// Session returns the session of the user who sent r, and counts as activity, as a request to a
// route does. LoggedOut tells apart the errors that say that there is none from those that say that
// this can't be told just now. Fail answers either.
//
// It does not tell whether r was forged by another site; see CheckCSRF.
func (s *Service) Session(r *http.Request) (*Session, error) {
	sessions := s.server.Sessions()
	found, err := sessions.FromRequest(r)
	if err != nil {
		return nil, err
	}
	sessions.Touch(r.Context(), found)
	return s.sessionOf(found), nil
}

// LoggedOut reports whether an error says that only a login helps: there is no session, or it is
// over, or the provider renews its access token no more.
func LoggedOut(err error) bool {
	p, known := problem.Of(err)
	return known && p.Status == http.StatusUnauthorized
}

func (s *Service) sessionOf(found *session.Session) *Session {
	return &Session{
		User: User{Provider: found.Record.Provider, Subject: found.Record.Subject, claims: found.Record.Claims},
		ID:   found.Record.ID, Expires: found.Expires(), found: found, service: s,
	}
}

// AccessToken returns the user's access token at the provider, renewed if need be, for a request to
// an API in the user's name. It is never to be sent to a browser. LoggedOut tells apart an error
// that only a login mends.
func (s *Session) AccessToken(ctx context.Context) (secret.Value, error) {
	token, err := s.service.server.AccessToken(ctx, s.found)
	return token.AccessToken, err
}

// LogoutURL is the path that a link leads to which logs the user out.
func (s *Session) LogoutURL() string {
	return s.service.server.Site().LogoutURL(s.found.Record.LogoutID)
}
