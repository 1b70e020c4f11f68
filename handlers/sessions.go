package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// ownSession is one row of GET /bff/sessions, with what users need to recognise their devices.
type ownSession struct {
	ID         string     `json:"id"`
	Current    bool       `json:"current"`
	Provider   string     `json:"provider"`
	UserAgent  string     `json:"user_agent,omitempty"`
	Address    string     `json:"address,omitempty"`
	CreatedAt  *time.Time `json:"created_at"`
	LastActive *time.Time `json:"last_active_at,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at"`
}

// listSessions answers GET /bff/sessions: every session of this user at this provider. Issuer and
// subject together identify a user (ID14). A navigation is answered with a page.
func (h *Handlers) listSessions(c echo.Context) error {
	if isNavigation(c.Request()) {
		return h.sessionsPage(c)
	}
	current, all, err := h.ownSessions(c)
	if err != nil {
		return err
	}
	rows := make([]ownSession, 0, len(all))
	for _, s := range all {
		rows = append(rows, ownSession{
			ID: s.Record.ID, Current: s.Name == current.Name, Provider: s.Record.Provider,
			UserAgent: s.Record.UserAgent, Address: s.Record.RemoteAddr,
			CreatedAt: timestamp(s.Record.CreatedAt), LastActive: timestamp(s.LastActive),
			ExpiresAt: timestamp(s.Expires()),
		})
	}
	return c.JSON(http.StatusOK, rows)
}

// endSession answers DELETE /bff/sessions/{id}: it ends one session of this user, which may be the
// current one.
func (h *Handlers) endSession(c echo.Context) error {
	current, all, err := h.ownSessions(c)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Record.ID != c.Param("id") {
			continue
		}
		if _, err := h.o.Sessions.Logout(c.Request().Context(), s.Name); err != nil {
			return err
		}
		h.o.Outbox.Wake()
		if s.Name == current.Name {
			h.forget(c)
		}
		return c.NoContent(http.StatusNoContent)
	}
	return problem.New(problem.NotFound)
}

// endOthers answers POST /bff/sessions/end-others: it ends all sessions of this user but the
// current.
func (h *Handlers) endOthers(c echo.Context) error {
	current, all, err := h.ownSessions(c)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Name == current.Name {
			continue
		}
		if _, err := h.o.Sessions.Logout(c.Request().Context(), s.Name); err != nil {
			return err
		}
	}
	h.o.Outbox.Wake()
	return c.NoContent(http.StatusNoContent)
}

// ownSessions checks for CSRF, and returns the current session and all sessions of its user.
func (h *Handlers) ownSessions(c echo.Context) (*session.Session, []*session.Session, error) {
	if err := h.requireCSRF(c.Request()); err != nil {
		return nil, nil, err
	}
	return h.sessionsOfUser(c)
}
