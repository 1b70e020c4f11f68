package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/templates"
)

// Reasons why a login from another address than the public one can't succeed. The page's text
// depends on them.
const (
	otherHost = "other_host" // another host name, whose cookies the redirect URI does not receive
	plainHTTP = "plain_http" // plain HTTP, over which browsers drop Secure cookies
)

// explainAddress answers a login that was requested at another address than the public one with a
// page that links to the public one, and reports whether it did. It does not redirect: behind a
// proxy that rewrites Host or the scheme, the redirect would repeat for ever. If the address is
// uncertain, the login starts, and the page of a failed callback names the public address.
func (h *Handlers) explainAddress(c echo.Context, query url.Values) (explained bool, err error) {
	ctx := c.Request().Context()
	origin := h.o.Site.Origin()
	cause := ""
	switch r := c.Request(); {
	case h.o.Site.ByHTTP(r):
		cause = plainHTTP
	case h.o.Site.ByOtherName(r):
		cause = otherHost
	default:
		return false, nil
	}
	h.o.Logger.InfoContext(ctx, "a login was started at another address than the public one",
		"cause", cause, "request_id", requestlog.ID(ctx))
	return true, h.page(c, http.StatusBadRequest, templates.LoginFailed{
		Kind: cause, Host: origin, RetryURL: origin + h.o.Site.LoginURL(query), RequestID: requestlog.ID(ctx),
	})
}
