package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers/problem"
	"github.com/cloakroom/cloakroom/session"
)

// ForwardAuthSecretHeader is what a reverse proxy proves itself by, so that it may get access tokens. A browser that
// asks for itself can't.
const ForwardAuthSecretHeader = "X-Forward-Auth-Secret"

// identityHeaders are the fields of GET /bff/auth's answer, by the claim that each holds; the names are those that
// reverse proxies are usually set up for.
var identityHeaders = map[string]string{
	"sub": "X-Auth-Request-User", "email": "X-Auth-Request-Email", "preferred_username": "X-Auth-Request-Preferred-Username", "iss": "X-Auth-Request-Issuer",
}

// maxIdentity bounds one of them.
const maxIdentity = 512

// auth answers GET /bff/auth, which a reverse proxy asks before it passes a request on (nginx auth_request, Traefik
// ForwardAuth, Caddy forward_auth, Envoy ext_authz): 202 for who is logged in, with who it is, 401 for who is not. With
// ?token=access, a proxy that knows forward_auth.secret gets the access token too, renewed if need be; nobody else
// does, since the answer would reach a browser. It counts as activity.
func (h *Handlers) auth(c echo.Context) error {
	r := c.Request()
	if err := h.requireOwnRequest(r); err != nil {
		return err
	}
	s, err := h.Sessions.FromRequest(r)
	if err != nil {
		return err
	}
	h.Sessions.Touch(r.Context(), s)
	if r.URL.Query().Get("token") == "access" {
		if err := h.handOverToken(c, s); err != nil {
			return err
		}
	}
	var claims map[string]any
	if err := json.Unmarshal(s.Record.Claims, &claims); err != nil {
		return err
	}
	for claim, name := range identityHeaders {
		if value, _ := claims[claim].(string); mayStandInHeader(value) {
			c.Response().Header().Set(name, value)
		}
	}
	c.Response().Header().Set("X-Auth-Request-Provider", s.Record.Provider)
	return c.NoContent(http.StatusAccepted)
}

// requireOwnRequest judges the request that the proxy is about to pass on, whose headers come along: a page of another
// origin may lead people here, but neither read nor write anything in their name.
func (h *Handlers) requireOwnRequest(r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && len(r.Header["Origin"]) == 0 {
		return nil
	}
	return h.requireOwnOrigin(r)
}

func (h *Handlers) handOverToken(c echo.Context, s *session.Session) error {
	if given := c.Request().Header.Values(ForwardAuthSecretHeader); h.ForwardAuthSecret.IsZero() || len(given) != 1 || !h.ForwardAuthSecret.Equal(given[0]) {
		return problem.New(problem.Forbidden).Because("access tokens go to a reverse proxy that sends forward_auth.secret, and to nobody else")
	}
	token, err := h.Tokens.AccessToken(c.Request().Context(), s)
	if err != nil {
		return err
	}
	c.Response().Header().Set("X-Auth-Request-Access-Token", token.AccessToken.Reveal())
	return nil
}

// mayStandInHeader refuses what could end a header field, or mislead who reads it.
func mayStandInHeader(s string) bool {
	return s != "" && len(s) <= maxIdentity && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) && strings.TrimSpace(s) == s
}
