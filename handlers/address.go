package handlers

import (
	"net/http"
	"net/url"

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
	cause := ""
	switch r := c.Request(); {
	case h.o.Site.ByHTTP(r):
		cause = plainHTTP
	case h.o.Site.ByOtherName(r):
		cause = otherHost
	default:
		return false, nil
	}
	h.o.Logger.InfoContext(ctx, "a login was begun at another address than the public one", "cause", cause, "request_id", requestlog.ID(ctx))
	return true, h.page(c, http.StatusBadRequest, templates.LoginFailed{
		Kind: cause, Host: h.o.Site.Origin(), RetryURL: h.o.Site.Origin() + h.o.Site.LoginURL(query), RequestID: requestlog.ID(ctx),
	})
}
