package admin

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// A row is a session as an administrator sees it.
type row struct {
	ID                 string     `json:"id"`
	Provider           string     `json:"provider"`
	Issuer             string     `json:"issuer"` // with Subject, the user
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

// maxRows is the largest page of a listing; `after` requests the next one.
const maxRows = 500

// listSessions answers GET /admin/sessions?subject=&provider=&issuer=&after=&limit=. With a
// subject, it lists that user's sessions. A subject is unique only within its issuer (OIDC Core
// §2), so each row has provider and issuer, and the query can name them.
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
		ID: r.ID, Provider: r.Provider, Issuer: r.Issuer, Subject: r.Subject, Scope: r.Scope,
		UserAgent: r.UserAgent, Address: r.RemoteAddr, Renewals: r.Renewals,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
		AccessTokenExpires: r.AccessTokenExpires.UTC(),
	}
	if !s.IdleExpires.IsZero() {
		t := s.IdleExpires.UTC()
		out.IdleExpiresAt = &t
	}
	return out
}

// selected finds the sessions that the query selects, and the cursor of the next page.
func (h *Handlers) selected(c echo.Context) (found []*session.Session, next string, err error) {
	subject, provider, issuer := c.QueryParam("subject"), c.QueryParam("provider"), c.QueryParam("issuer")
	others := func(s *session.Session) bool {
		return provider != "" && s.Record.Provider != provider ||
			issuer != "" && s.Record.Issuer != issuer
	}
	if subject != "" {
		found, err = h.ofSubject(c, subject)
		return slices.DeleteFunc(found, others), "", err
	}
	limit := maxRows
	if n, err := strconv.Atoi(c.QueryParam("limit")); err == nil && n > 0 && n < maxRows {
		limit = n
	}
	after := session.Name(c.QueryParam("after"))
	page, more, err := h.o.Sessions.List(c.Request().Context(), after, limit)
	if err != nil {
		return nil, "", err
	}
	return slices.DeleteFunc(page, others), string(more), nil
}

// ofSubject finds the sessions of every user with this subject, at any provider.
func (h *Handlers) ofSubject(c echo.Context, subject string) ([]*session.Session, error) {
	var found []*session.Session
	for _, p := range h.o.Providers {
		at, err := h.o.Sessions.OfSubject(c.Request().Context(), p.ID(), subject)
		if err != nil {
			return nil, err
		}
		found = append(found, at...)
	}
	return found, nil
}

// endSession answers DELETE /admin/sessions/{id}.
func (h *Handlers) endSession(c echo.Context) error {
	found, err := h.o.Sessions.OfID(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return problem.New(problem.NotFound).WithDetail("no live session has this id")
	}
	if err := h.end(c, found); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// endSessions answers DELETE /admin/sessions?subject=&provider=&issuer=: it ends all sessions of a
// user or of a provider. It refuses a request without subject and provider: a forgotten parameter
// must not end everybody's session. It also refuses a subject that several users of one provider
// have, from different issuers, unless the issuer is named.
func (h *Handlers) endSessions(c echo.Context) error {
	if c.QueryParam("subject") == "" && c.QueryParam("provider") == "" {
		return problem.New(problem.BadRequest).WithDetail("name a subject, a provider, or both")
	}
	ended := 0
	for {
		found, next, err := h.selected(c)
		if err != nil {
			return err
		}
		if c.QueryParam("subject") != "" && severalUsers(found) {
			return problem.New(problem.BadRequest).
				WithDetail("several users of one provider have this subject; name the issuer, too")
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

// severalUsers reports whether sessions with the same subject at one provider have different
// issuers.
func severalUsers(found []*session.Session) bool {
	issuers := map[string]string{} // by provider
	for _, s := range found {
		if known, ok := issuers[s.Record.Provider]; ok && known != s.Record.Issuer {
			return true
		}
		issuers[s.Record.Provider] = s.Record.Issuer
	}
	return false
}

// end ends the sessions one by one. If one fails, those before it have ended.
func (h *Handlers) end(c echo.Context, sessions []*session.Session) error {
	for _, s := range sessions {
		if err := h.o.Sessions.End(c.Request().Context(), s.Name, session.ReasonRevoked); err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		h.o.Outbox.Wake()
		h.o.Logger.InfoContext(c.Request().Context(), "administrator ended sessions", "sessions", len(sessions))
	}
	return nil
}
