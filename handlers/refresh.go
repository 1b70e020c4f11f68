package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers/problem"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// Tokens renews access tokens; *renewal.Renewer is one.
type Tokens interface {
	AccessToken(ctx context.Context, s *session.Session) (renewal.Token, error)
	AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (renewal.Token, error)
}

// refreshCoolDown is what an app is told that asks for renewals too often; a session is renewed at most once in
// half of an access token's life, or in 30 s.
const refreshCoolDown = 15 * time.Second

// refresh answers POST /bff/session/refresh: the access token is renewed now, for an app that knows that it is
// no good any more (a right was granted, an API of its own said so). It is no activity.
func (h *Handlers) refresh(c echo.Context) error {
	r := c.Request()
	if err := h.requireCSRF(r); err != nil {
		return err
	}
	s, err := h.Sessions.FromRequest(r)
	if err != nil {
		return err
	}
	if s.Record.RefreshToken.IsZero() {
		return problem.New(problem.ReauthenticationRequired).Because("this session has no refresh token")
	}
	token, err := h.Tokens.AfterRejection(r.Context(), s, s.Record.AccessToken)
	if errors.Is(err, renewal.ErrNotRenewed) {
		return problem.New(problem.RateLimited).Because("the access token was renewed a moment ago").After(refreshCoolDown)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stateOf(token.Session))
}
