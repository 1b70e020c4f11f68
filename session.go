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

// A User is a user whose login has been verified.
type User struct {
	Provider string // configured id
	Subject  string // the sub of the ID token, which identifies the user at the provider
	claims   json.RawMessage
}

// Claims decodes the claims of the login into a struct or a map. These are the claims of the ID
// token and of userinfo, without those that contain tokens.
func (u User) Claims(into any) error {
	if len(u.claims) == 0 {
		return nil
	}
	if err := json.Unmarshal(u.claims, into); err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	return nil
}

// A Session is the session of a logged-in User. It is a snapshot and does not change later.
type Session struct {
	User
	ID      string    // for logs and the admin API; nobody can log in with it
	Expires time.Time // the earlier of the idle and the absolute expiry, without further activity

	found   *session.Session
	service *Service
}

// Session returns the session of the user who sent r. The call counts as activity, as a request to
// a route does. If LoggedOut is true for the error, nobody is logged in; after any other error this
// is unknown, for example because the store is down. Fail answers both kinds.
//
// Session does not detect requests that another site has forged; see CheckCSRF.
func (s *Service) Session(r *http.Request) (*Session, error) {
	sessions := s.server.Sessions()
	found, err := sessions.FromRequest(r)
	if err != nil {
		return nil, err
	}
	sessions.Touch(r.Context(), found)
	return s.sessionOf(found), nil
}

// LoggedOut reports whether err means that the user has to log in: there is no session, or it has
// ended, or the provider does not renew its access token any more.
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

// AccessToken returns the user's access token, renewed if necessary, for requests to APIs on behalf
// of the user. Never send it to a browser. If LoggedOut is true for the error, the user has to log
// in again.
func (s *Session) AccessToken(ctx context.Context) (secret.Value, error) {
	token, err := s.service.server.AccessToken(ctx, s.found)
	return token.AccessToken, err
}

// LogoutURL returns the path of a link that logs the user out.
func (s *Session) LogoutURL() string {
	return s.service.server.Site().LogoutURL(s.found.Record.LogoutID)
}
