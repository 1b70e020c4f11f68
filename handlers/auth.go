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

// ForwardAuthSecretHeader holds the secret by which a reverse proxy authenticates itself to get
// access tokens. A browser does not know that secret.
const ForwardAuthSecretHeader = identity.ProxySecret

// identityHeaders are the header fields in the answer of GET /bff/auth, by claim. They have the
// names that reverse proxies are usually configured for.
var identityHeaders = map[string]string{
	"sub":                identity.User,
	"email":              identity.Email,
	"preferred_username": identity.PreferredUsername,
	"iss":                identity.Issuer,
}

// maxIdentity is the longest value of an identity header, in bytes.
const maxIdentity = 512

// auth answers GET /bff/auth, which a reverse proxy calls before it forwards a request (nginx
// auth_request, Traefik ForwardAuth, Caddy forward_auth). The answer is 202 with the user's
// identity if the user is logged in, and 401 if not.
//
// With ?token=access, a proxy that sends forward_auth.secret also gets the access token, renewed if
// necessary. Nobody else gets it, because the answer would reach a browser. With ?login=redirect,
// the navigation of a user who is not logged in is redirected to the login, for proxies that
// forward this answer to the browser. The call counts as activity.
func (h *Handlers) auth(c echo.Context) error {
	q := c.QueryParams()
	page := ""
	if q.Get("login") == "redirect" {
		page = h.requestedPage(c.Request())
	}
	return h.forwardAuth(c, http.StatusAccepted, q.Get("token") == "access", page)
}

// authPath is auth for Envoy's ext_authz. Envoy calls it with the method and query of the request
// that it checks, and with that request's path after a prefix. The query therefore can't ask for an
// access token; the secret alone does. The status is 200, because Envoy takes any other for a
// refusal and may send its header fields to the browser.
func (h *Handlers) authPath(c echo.Context) error {
	r := c.Request()
	page := strings.TrimPrefix(r.URL.EscapedPath(), h.o.Site.Path("/auth"))
	if r.URL.RawQuery != "" {
		page += "?" + r.URL.RawQuery
	}
	return h.forwardAuth(c, http.StatusOK, r.Header.Get(ForwardAuthSecretHeader) != "", page)
}

// requestedPage is the page that the browser requested from the proxy, or / if the proxy does not
// say. The login checks whether it may return there.
func (h *Handlers) requestedPage(r *http.Request) string {
	if uri := r.Header.Get("X-Forwarded-Uri"); uri != "" && len(r.Header["X-Forwarded-Uri"]) == 1 {
		return uri
	}
	return "/"
}

// forwardAuth answers a proxy that asks whether it may forward a request. status is the answer for
// a user who is logged in. page is where a login returns to; "" means not to redirect to the login.
func (h *Handlers) forwardAuth(c echo.Context, status int, withToken bool, page string) error {
	r := c.Request()
	if err := h.requireOwnRequest(r); err != nil {
		return err
	}
	for name := range r.Header {
		if identity.IsUnlisted(name) {
			return problem.New(problem.Forbidden).WithDetail(strayIdentity)
		}
	}
	s, err := h.o.Sessions.FromRequest(r)
	if loggedOut(err) && page != "" && isNavigation(r) {
		requestlog.Annotate(r.Context(), err)
		return h.redirectToLogin(c, page)
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
		// Anybody can enter another's address at the provider, and an application that identifies
		// users by it would take them for that person.
		delete(claims, "email")
	}
	// Every field is set, if only to "". Some proxies replace the browser's fields by those in this
	// answer and forward the others unchanged: a user without an e-mail address could send one.
	for claim, name := range identityHeaders {
		value, _ := claims[claim].(string)
		if !mayStandInHeader(value) {
			value = ""
		}
		answer.Set(name, value)
	}
	answer.Set(identity.Provider, s.Record.Provider)
	// The token is set last: a refusal may go to the browser with all its fields.
	answer.Set(identity.AccessToken, accessToken)
	return c.NoContent(status)
}

const strayIdentity = "the request has an identity header that the proxy may not know how to remove " +
	"(X-Auth-Request-…, Remote-… and the like, or one of them with underscores): only the proxy may set those"

// redirectToLogin answers a navigation to page without a session. A navigation from another site
// brings no SameSite=Strict cookie, even if the user is logged in; the provider's redirect after a
// login is such a navigation. That browser gets a page that loads the same URL again. The page's
// status is 401, because proxies take 2xx for permission to forward the request.
func (h *Handlers) redirectToLogin(c echo.Context, page string) error {
	if again, ok := h.o.Site.ReturnPath(page); ok && h.cameWithoutStrictCookie(c.Request()) {
		return h.page(c, http.StatusUnauthorized, templates.Continue{URL: again})
	}
	return c.Redirect(http.StatusFound, h.o.Site.Origin()+h.o.Site.LoginBackTo(page))
}

// requireOwnRequest checks the request that the proxy is about to forward, by the headers that it
// passed along. A page of another origin may link here, but must not read or write anything as the
// user.
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

// isHandshake reports whether the request opens a WebSocket. A proxy does not forward Upgrade,
// which is a hop-by-hop field, and not every browser sends Sec-Fetch-Mode; the version is always
// there (RFC 6455 §4.1, RFC 8441 §5).
func isHandshake(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "websocket" ||
		strings.EqualFold(r.Header.Get("Upgrade"), "websocket") ||
		len(r.Header["Sec-Websocket-Version"]) > 0
}

// tokenForProxy returns the session's access token if the request has the proxy's secret.
func (h *Handlers) tokenForProxy(r *http.Request, s *session.Session) (string, error) {
	if !h.fromTrustedProxy(r) {
		return "", problem.New(problem.Forbidden).
			WithDetail("only a reverse proxy that sends forward_auth.secret gets access tokens")
	}
	token, err := h.o.Tokens.AccessToken(r.Context(), s)
	if err != nil {
		return "", err
	}
	return token.AccessToken.Reveal(), nil
}

// fromTrustedProxy reports whether the request has forward_auth.secret, exactly once.
func (h *Handlers) fromTrustedProxy(r *http.Request) bool {
	given := r.Header.Values(ForwardAuthSecretHeader)
	return !h.o.ForwardAuthSecret.IsZero() && len(given) == 1 && h.o.ForwardAuthSecret.Equal(given[0])
}

// mayStandInHeader reports whether s can be the value of a header field: it neither ends the field
// nor reads differently from what it is.
func mayStandInHeader(s string) bool {
	return s != "" && len(s) <= maxIdentity && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, unicode.IsControl) && strings.TrimSpace(s) == s
}
