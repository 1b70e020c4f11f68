package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/templates"
)

// Where a browser may be when it asks for a login that can't succeed. They pick the page's words.
const (
	otherHost = "other_host" // under another name, whose cookies the redirect URI does not get
	plainHTTP = "plain_http" // on http, where browsers drop Secure cookies
)

// explainAddress answers a login from another address than the public one with a page that leads to that, and reports
// whether it did. A redirect would go round for ever behind a proxy that rewrites what the address is told by. Where it
// can't be told for sure the login begins, and the callback's page names the address.
func (h *Handlers) explainAddress(c echo.Context, query url.Values) (explained bool, err error) {
	ctx := c.Request().Context()
	cause := h.misplaced(c.Request())
	if cause == "" {
		return false, nil
	}
	h.Logger.InfoContext(ctx, "a login was begun at another address than the public one", "cause", cause, "request_id", requestlog.ID(ctx))
	return true, h.page(c, http.StatusBadRequest, templates.LoginFailed{
		Kind: cause, Host: h.Origin, RetryURL: h.Origin + h.BasePath + "/login?" + query.Encode(), RequestID: requestlog.ID(ctx),
	})
}

// misplaced is why the browser can't be at the public address; "" where it is, or may be. The Host header does not
// say: many proxies put their own in its place. What a page links to on its own origin bears that origin in the
// Referer. Fetch Metadata goes to https alone (and to loopback), so a browser that sends it is there, whatever a proxy says.
func (h *Handlers) misplaced(r *http.Request) string {
	if h.Secure && r.Header.Get("Sec-Fetch-Mode") == "" && h.ByHTTP(r) {
		return plainHTTP
	}
	at, err := url.Parse(r.Referer())
	if err != nil || at.Host == "" || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return ""
	}
	public, err := url.Parse(h.Origin)
	if err != nil || strings.EqualFold(at.Hostname(), public.Hostname()) { // cookies don't know of ports
		return ""
	}
	return otherHost
}
