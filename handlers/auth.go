package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/identity"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// ForwardAuthSecretHeader is what a reverse proxy proves itself by, so that it may get access tokens. A browser that
// asks for itself can't.
const ForwardAuthSecretHeader = identity.ProxySecret

// identityHeaders are the fields of GET /bff/auth's answer, by the claim that each holds; the names are those that
// reverse proxies are usually set up for.
var identityHeaders = map[string]string{
	"sub": identity.User, "email": identity.Email, "preferred_username": identity.PreferredUsername, "iss": identity.Issuer,
}

// maxIdentity bounds one of them.
const maxIdentity = 512

// auth answers GET /bff/auth, which a reverse proxy asks before it passes a request on (nginx auth_request, Traefik
// ForwardAuth, Caddy forward_auth): 202 for who is logged in, with who it is, 401 for who is not. With ?token=access, a
// proxy that knows forward_auth.secret gets the access token too, renewed if need be; nobody else does, since the
// answer would reach a browser. With ?login=redirect, a page for who is not logged in is answered by a way to the login,
// for proxies that hand the answer on. It counts as activity.
func (h *Handlers) auth(c echo.Context) error {
	q := c.QueryParams()
	page := ""
	if q.Get("login") == "redirect" {
		page = h.askedFor(c.Request())
	}
	return h.forwardAuth(c, http.StatusAccepted, q.Get("token") == "access", page)
}

// authPath is auth for Envoy's ext_authz, which puts a prefix before the path of the request that it asks about, and
// leaves method and query as they are: all of it is that request's. So it takes the secret alone for the wish to have
// an access token, and says 200: to Envoy any other status is a refusal, whose fields may go to the browser.
func (h *Handlers) authPath(c echo.Context) error {
	r := c.Request()
	page := strings.TrimPrefix(r.URL.EscapedPath(), h.o.Site.Path("/auth"))
	if r.URL.RawQuery != "" {
		page += "?" + r.URL.RawQuery
	}
	return h.forwardAuth(c, http.StatusOK, r.Header.Get(ForwardAuthSecretHeader) != "", page)
}

// askedFor is the page that a proxy is asked for, as far as it says so; / where it does not. Whether the login
// may lead there is for the login to judge.
func (h *Handlers) askedFor(r *http.Request) string {
	if uri := r.Header.Get("X-Forwarded-Uri"); uri != "" && len(r.Header["X-Forwarded-Uri"]) == 1 {
		return uri
	}
	return "/"
}

// forwardAuth judges a request that a proxy asks about, and answers with the given status for somebody's. page is where
// a login is to lead back to; "" for no redirect.
func (h *Handlers) forwardAuth(c echo.Context, status int, withToken bool, page string) error {
	r := c.Request()
	if err := h.requireOwnRequest(r); err != nil {
		return err
	}
	for name := range r.Header {
		if identity.Stray(name) {
			return problem.New(problem.Forbidden).Because("the request has a field that says whom it is for and that the proxy may not know how to take away (X-Auth-Request-…, Remote-… and their like, or one of them with underscores): such fields are the proxy's to set")
		}
	}
	s, err := h.o.Sessions.FromRequest(r)
	if loggedOut(err) && page != "" && isNavigation(r) {
		requestlog.Annotate(r.Context(), err)
		return h.towardsLogin(c, page)
	}
	if err != nil {
		return err
	}
	h.o.Sessions.Touch(r.Context(), s)
	accessToken := ""
	if withToken {
		if accessToken, err = h.tokenForProxy(r, s); err != nil {
			return err
		}
	}
	answer := c.Response().Header()
	var claims map[string]any
	if err := json.Unmarshal(s.Record.Claims, &claims); err != nil {
		return err
	}
	if claims["email_verified"] == false || claims["email_verified"] == "false" {
		delete(claims, "email") // whatever somebody typed: an application that goes by it would take them for its owner
	}
	// All fields are there, if empty: some proxies put those that they get in the place of a browser's own, and leave
	// alone what is not there. Who has no e-mail address must not choose one.
	for claim, name := range identityHeaders {
		value, _ := claims[claim].(string)
		if !mayStandInHeader(value) {
			value = ""
		}
		answer.Set(name, value)
	}
	answer.Set(identity.Provider, s.Record.Provider)
	answer.Set(identity.AccessToken, accessToken) // last: an answer that is a refusal after all may go to the browser with all its fields
	return c.NoContent(status)
}

// towardsLogin answers a navigation to page by who seems to be logged out. A link of another site, and that is what the
// provider's answer to a login is as well, comes without a strict cookie even from who is logged in: such a browser is
// led to the same page once more, with a 401, since any proxy takes 2xx for leave to pass the request on.
func (h *Handlers) towardsLogin(c echo.Context, page string) error {
	if again, ok := h.o.Site.ReturnPath(page); ok && h.cameWithoutStrictCookie(c.Request()) {
		return h.page(c, http.StatusUnauthorized, templates.Continue{URL: again})
	}
	return c.Redirect(http.StatusFound, h.o.Site.Origin()+h.o.Site.LoginBackTo(page))
}

// requireOwnRequest judges the request that the proxy is about to pass on, whose headers come along: a page of another
// origin may lead people here, but neither read nor write anything in their name.
func (h *Handlers) requireOwnRequest(r *http.Request) error {
	if isHandshake(r) {
		if err := h.admit(r, site.ForHandshake); err != nil {
			return err
		}
	}
	if len(r.Header["Origin"]) == 0 && isNavigation(r) {
		return nil
	}
	return h.admit(r, site.ForSubrequest)
}

// isHandshake reports whether the request opens a WebSocket. Proxies keep Upgrade, a hop-by-hop field, to themselves, and
// not every browser sends Sec-Fetch-Mode with it; the version is there always (RFC 6455 §4.1, RFC 8441 §5).
func isHandshake(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "websocket" || strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || len(r.Header["Sec-Websocket-Version"]) > 0
}

// tokenForProxy is the session's access token, for a proxy that proves itself.
func (h *Handlers) tokenForProxy(r *http.Request, s *session.Session) (string, error) {
	if given := r.Header.Values(ForwardAuthSecretHeader); h.o.ForwardAuthSecret.IsZero() || len(given) != 1 || !h.o.ForwardAuthSecret.Equal(given[0]) {
		return "", problem.New(problem.Forbidden).Because("access tokens go to a reverse proxy that sends forward_auth.secret, and to nobody else")
	}
	token, err := h.o.Tokens.AccessToken(r.Context(), s)
	if err != nil {
		return "", err
	}
	return token.AccessToken.Reveal(), nil
}

// mayStandInHeader refuses what could end a header field, or mislead who reads it.
func mayStandInHeader(s string) bool {
	return s != "" && len(s) <= maxIdentity && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) && strings.TrimSpace(s) == s
}
