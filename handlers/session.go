package handlers

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// sessionState is a session as GET /bff/session and the events show it: times and names, no claims.
type sessionState struct {
	Authenticated      bool       `json:"authenticated"`
	Subject            string     `json:"subject,omitempty"`
	Provider           string     `json:"provider,omitempty"`
	CreatedAt          *time.Time `json:"created_at,omitempty"`
	ExpiresAt          *time.Time `json:"expires_at,omitempty"`
	IdleExpiresAt      *time.Time `json:"idle_expires_at,omitempty"` // absent without an idle time-out
	AccessTokenExpires *time.Time `json:"access_token_expires_at,omitempty"`
	Scope              string     `json:"scope,omitempty"`
	// ReauthenticationRequired means that the user must log in again before the provider renews the
	// access token.
	ReauthenticationRequired bool `json:"reauthentication_required,omitempty"`
}

// session answers GET /bff/session. It does not count as activity: polling keeps nobody logged in.
func (h *Handlers) session(c echo.Context) error {
	if err := h.requireCSRF(c.Request()); err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(c.Request())
	if loggedOut(err) {
		return c.JSON(http.StatusOK, sessionState{})
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stateOf(s))
}

// loggedOut reports whether err means that there is no session, not that the store is unavailable.
func loggedOut(err error) bool {
	return errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired)
}

func stateOf(s *session.Session) sessionState {
	r := s.Record
	return sessionState{
		Authenticated: true, Subject: r.Subject, Provider: r.Provider, Scope: r.Scope,
		CreatedAt: timestamp(r.CreatedAt), ExpiresAt: timestamp(r.ExpiresAt),
		IdleExpiresAt: timestamp(s.IdleExpires), AccessTokenExpires: timestamp(r.AccessTokenExpires),
		ReauthenticationRequired: !r.LoginNeeded.IsZero(),
	}
}

// timestamp is t in UTC, to the second (RFC 3339); nil for the zero time.
func timestamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
