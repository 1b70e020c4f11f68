package handlers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// The URLs that package site gives to providers and browsers are those of endpoints in the table.
func TestURLsOfTheSiteAreMounted(t *testing.T) {
	app := sitetest.New(t, "https://app.example.com", site.Options{BasePath: "/a/b"})
	mounted := map[string]bool{}
	for _, e := range new(Handlers).endpoints() {
		mounted[app.URL(e.path)] = true
	}
	for _, address := range []string{
		app.RedirectURI(":provider"), app.PostLogoutRedirectURI(":provider"),
		app.BackchannelLogoutURI(":provider"), app.FrontchannelLogoutURI(":provider"),
		app.JWKSURI(":provider"),
		app.Origin() + app.LoginURL(nil), app.Origin() + app.SessionsPage(),
	} {
		if !mounted[address] {
			t.Errorf("no endpoint answers %s", address)
		}
	}
}

// The endpoints set their security headers themselves and answer 404 and 405 below the base path,
// also in another Echo instance that has a wildcard route beside them.
func TestEndpointsSetTheirOwnHeaders(t *testing.T) {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = c.NoContent(problem.From(err).Status) }
	e.Any("/*", func(c echo.Context) error { return c.String(http.StatusTeapot, "somebody else's") })
	app := sitetest.New(t, "https://app.example.com", site.Options{})
	(&Handlers{o: Options{Site: app}}).Mount(e.Group(app.Path("")))
	srv := httptest.NewServer(e)
	defer srv.Close()

	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/bff/session", http.StatusForbidden, ""}, // without X-CSRF
		{"GET", "/bff/jwks/nobody", http.StatusNotFound, ""},
		{"HEAD", "/bff/session", http.StatusMethodNotAllowed, "GET"},
		{"DELETE", "/bff/login", http.StatusMethodNotAllowed, "GET, POST"},
		{"OPTIONS", "/bff/sessions/x", http.StatusMethodNotAllowed, "DELETE"},
		{"GET", "/bff", http.StatusNotFound, ""},
		{"POST", "/bff/typo", http.StatusNotFound, ""},
		{"BREW", "/bff/session", http.StatusNotFound, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.status || res.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s = %d, Allow %q, want %d, %q",
				c.method, c.path, res.StatusCode, res.Header.Get("Allow"), c.status, c.allow)
		}
		for name, want := range map[string]string{
			"Cache-Control":                "no-store",
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s %s: %s = %q, want %q", c.method, c.path, name, got, want)
			}
		}
	}
}
