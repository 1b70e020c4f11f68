package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// redirect sends the browser on, leaving no trace of this URL's query in a Referer (RFC 9700 §4.2).
func redirect(c echo.Context, status int, to string) error {
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	c.Response().Header().Set("Location", to)
	c.Response().WriteHeader(status)
	return nil
}

// page writes one of our pages in the reader's language.
func (h *Handlers) page(c echo.Context, status int, p templates.Page) error {
	lang := h.Pages.Language(c.Request().Header.Get("Accept-Language"))
	return h.Pages.Write(c.Response(), status, lang, p)
}

// unknownProvider is the answer to a provider id that no operator configured.
func unknownProvider() error { return problem.New(problem.UnknownProvider) }

// requireCSRF is the guard of the endpoints that a fetch calls with the session cookie: the custom
// header, which no other origin can send without a preflight, and no mark of another origin.
func (h *Handlers) requireCSRF(r *http.Request) error {
	if r.Header.Get("X-CSRF") != "1" {
		return problem.New(problem.CSRF)
	}
	if h.judge(r) == site.Referred { // no mark, and the header is proof
		return nil
	}
	return h.requireOwnOrigin(r)
}

// requireOwnOrigin refuses what the browser marks as coming from another origin, a sibling
// subdomain included (CS2), and no-cors requests, be it those of our own pages: nothing here is an image or a script (CS9).
//
// A page of an allowed origin is let in, if it says who it is: its requests are CORS requests, which bear an
// Origin that no script can forge, and which it may send no more of than the preflight has permitted.
func (h *Handlers) requireOwnOrigin(r *http.Request) error {
	if v := h.judge(r); v == site.Foreign || v == site.Referred || r.Header.Get("Sec-Fetch-Mode") == "no-cors" {
		return problem.New(problem.CSRF)
	}
	return nil
}

// judge is the one judge of what a browser marks.
func (h *Handlers) judge(r *http.Request) site.Verdict {
	return site.Origins{Public: h.Origin, Allowed: h.AllowedOrigins}.Judge(r)
}
