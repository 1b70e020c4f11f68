package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// Tokens renews access tokens; *renewal.Renewer is one.
type Tokens interface {
	AccessToken(ctx context.Context, s *session.Session) (renewal.Token, error)
	AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (renewal.Token, error)
}

// refresh answers POST /bff/session/refresh: it renews the access token now, for an app that knows
// that the current one is outdated (a right was granted, or an API refused it). It does not count
// as activity.
func (h *Handlers) refresh(c echo.Context) error {
	r := c.Request()
	if err := h.requireCSRF(r); err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(r)
	if err != nil {
		return err
	}
	if s.Record.RefreshToken.IsZero() {
		return problem.New(problem.NotRenewable)
	}
	token, err := h.o.Tokens.AfterRejection(r.Context(), s, s.Record.AccessToken)
	if errors.Is(err, renewal.ErrNotRenewed) {
		p := problem.New(problem.RateLimited).WithDetail("the access token was renewed a moment ago")
		if tooSoon, ok := errors.AsType[*renewal.TooSoonError](err); ok {
			p.RetryAfter = tooSoon.RetryAfter
		}
		return p
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stateOf(token.Session))
}
