package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers/problem"
	"github.com/cloakroom/cloakroom/session"
)

// A row is a session as an administrator sees it.
type row struct {
	ID                 string     `json:"id"`
	Provider           string     `json:"provider"`
	Subject            string     `json:"subject"`
	Scope              string     `json:"scope,omitempty"`
	UserAgent          string     `json:"user_agent,omitempty"`
	Address            string     `json:"address,omitempty"`
	Renewals           int        `json:"renewals"`
	CreatedAt          time.Time  `json:"created_at"`
	ExpiresAt          time.Time  `json:"expires_at"`
	IdleExpiresAt      *time.Time `json:"idle_expires_at,omitempty"`
	AccessTokenExpires time.Time  `json:"access_token_expires_at"`
}

// maxRows bounds a listing; `after` pages on.
const maxRows = 500

// listSessions answers GET /admin/sessions?subject=&provider=&after=&limit=. With a subject the
// listing is that user's; a subject is unique within a provider alone, so it needs one when several
// are configured.
func (h *Handlers) listSessions(c echo.Context) error {
	found, next, err := h.selected(c)
	if err != nil {
		return err
	}
	rows := make([]row, 0, len(found))
	for _, s := range found {
		rows = append(rows, rowOf(s))
	}
	return c.JSON(http.StatusOK, map[string]any{"sessions": rows, "next": next})
}

func rowOf(s *session.Session) row {
	r := s.Record
	out := row{
		ID: r.ID, Provider: r.Provider, Subject: r.Subject, Scope: r.Scope, UserAgent: r.UserAgent, Address: r.RemoteAddr,
		Renewals: r.Renewals, CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), AccessTokenExpires: r.AccessTokenExpires.UTC(),
	}
	if !s.IdleExpires.IsZero() {
		t := s.IdleExpires.UTC()
		out.IdleExpiresAt = &t
	}
	return out
}

// selected finds the sessions that the query means, and the cursor of the next page.
func (h *Handlers) selected(c echo.Context) (found []*session.Session, next string, err error) {
	subject, provider := c.QueryParam("subject"), c.QueryParam("provider")
	if subject != "" {
		found, err = h.ofSubject(c, subject, provider)
		return found, "", err
	}
	limit := maxRows
	if n, err := strconv.Atoi(c.QueryParam("limit")); err == nil && n > 0 && n < maxRows {
		limit = n
	}
	page, more, err := h.Sessions.List(c.Request().Context(), session.Name(c.QueryParam("after")), limit)
	if err != nil {
		return nil, "", err
	}
	for _, s := range page {
		if provider == "" || s.Record.Provider == provider {
			found = append(found, s)
		}
	}
	return found, string(more), nil
}

// ofSubject finds the sessions of a user, at the one provider that is named or at every one.
func (h *Handlers) ofSubject(c echo.Context, subject, provider string) ([]*session.Session, error) {
	var found []*session.Session
	for _, p := range h.Providers {
		if provider != "" && p.ID() != provider {
			continue
		}
		at, err := h.Sessions.Find(c.Request().Context(), session.SubjectKey(p.ID(), subject))
		if err != nil {
			return nil, err
		}
		found = append(found, at...)
	}
	return found, nil
}

// endSession answers DELETE /admin/sessions/{id}.
func (h *Handlers) endSession(c echo.Context) error {
	found, err := h.Sessions.Find(c.Request().Context(), session.IDKey(c.Param("id")))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return problem.New(problem.NotFound).Because("no live session has this id")
	}
	if err := h.end(c, found); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// endSessions answers DELETE /admin/sessions?subject=&provider=: all of a user's, or all of a
// provider's. Without either it refuses: ending everybody's session takes more than a forgotten
// parameter.
func (h *Handlers) endSessions(c echo.Context) error {
	if c.QueryParam("subject") == "" && c.QueryParam("provider") == "" {
		return problem.New(problem.BadRequest).Because("name a subject, a provider, or both")
	}
	ended := 0
	for {
		found, next, err := h.selected(c)
		if err != nil {
			return err
		}
		if err := h.end(c, found); err != nil {
			return err
		}
		ended += len(found)
		if next == "" {
			return c.JSON(http.StatusOK, map[string]int{"ended": ended})
		}
		c.QueryParams().Set("after", next)
	}
}

// end ends them one by one; what was ended before a failure stays ended.
func (h *Handlers) end(c echo.Context, sessions []*session.Session) error {
	for _, s := range sessions {
		if err := h.Sessions.End(c.Request().Context(), s.Name, session.ReasonRevoked); err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		h.Outbox.Wake()
		h.Logger.InfoContext(c.Request().Context(), "administrator ended sessions", "sessions", len(sessions))
	}
	return nil
}
