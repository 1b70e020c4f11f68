package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// redirect sends the browser to another URL, without this URL's query in a Referer (RFC 9700 §4.2).
func redirect(c echo.Context, status int, to string) error {
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	c.Response().Header().Set("Location", to)
	c.Response().WriteHeader(status)
	return nil
}

// page writes one of our pages in the reader's language.
func (h *Handlers) page(c echo.Context, status int, p templates.Page) error {
	lang := h.o.Pages.Language(c.Request().Header.Get("Accept-Language"))
	return h.o.Pages.Write(c.Response(), status, lang, p)
}

// unknownProvider is the answer to a provider id that is not configured.
func unknownProvider() error { return problem.New(problem.UnknownProvider) }

// requireCSRF guards the endpoints that scripts call with the session cookie.
func (h *Handlers) requireCSRF(r *http.Request) error { return h.admit(r, site.ForFetch) }

// admit refuses a request that another site's page may have made.
func (h *Handlers) admit(r *http.Request, g site.Guard) error {
	if !h.o.Site.Admits(r, g) {
		return problem.New(problem.CSRF)
	}
	return nil
}
