package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/templates"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const origin = "https://app.example.com"

func newWriter(t *testing.T) *handlers.ErrorWriter {
	t.Helper()
	return newWriterTo(t, slog.DiscardHandler)
}

// newWriterTo returns an ErrorWriter that logs to h.
func newWriterTo(t *testing.T, h slog.Handler) *handlers.ErrorWriter {
	t.Helper()
	pages, err := templates.Load(templates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return handlers.NewErrorWriter(handlers.ErrorOptions{
		Pages: pages, Site: sitetest.New(t, origin, site.Options{}), Logger: slog.New(h),
	})
}

// A reply is an answer as a client receives it.
type reply struct {
	*http.Response
	body string
}

// receive returns what a client receives from a server that answers with err. headers alternate
// between name and value.
func receive(t *testing.T, err error, method string, headers ...string) reply {
	t.Helper()
	w := newWriter(t)
	return fetch(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Write(rw, r.WithContext(requestlog.WithID(r.Context(), "REQUEST-1")), err)
	}), method, headers...)
}

func fetch(t *testing.T, h http.Handler, method string, headers ...string) reply {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, string(body)}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// The golden file has the problem details of every code, one line each.
func TestProblemDetails(t *testing.T) {
	var all strings.Builder
	for _, code := range []problem.Code{
		problem.NotAuthenticated, problem.SessionExpired, problem.ReauthenticationRequired, problem.CSRF, problem.Forbidden,
		problem.NotFound, problem.InvalidReturnURL, problem.InvalidLogout, problem.InvalidLogoutToken, problem.UnknownProvider,
		problem.RequestTooLarge, problem.RateLimited, problem.UpstreamUnreachable, problem.ProviderUnreachable,
		problem.StoreUnavailable, problem.UpstreamTimeout, problem.NavigationRequired, problem.ProviderMisconfigured,
		problem.MethodNotAllowed, problem.BadRequest, problem.InternalError, problem.MisdirectedRequest,
		problem.CookiesBlocked, problem.AttemptNotFound, problem.AttemptExpired, problem.AttemptSpent, problem.InvalidResponse,
		problem.AccessDenied, problem.ProviderRefused, problem.IDTokenInvalid,
	} {
		a := receive(t, problem.New(code), http.MethodGet, "Accept", "application/json")
		if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: Content-Type = %q", code, got)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", // BR1, BR4
			"Vary": "Sec-Fetch-Mode, Sec-Fetch-Dest, X-Requested-With, Accept",
		} {
			if got := strings.Join(a.Header.Values(name), ", "); got != want {
				t.Errorf("%s: %s = %q, want %q", code, name, got, want)
			}
		}
		temporary := a.StatusCode == http.StatusServiceUnavailable || a.StatusCode == http.StatusTooManyRequests
		if retry := a.Header.Get("Retry-After"); temporary != (retry != "") {
			t.Errorf("%s: %d with Retry-After %q", code, a.StatusCode, retry)
		}
		var details struct {
			Status   int
			LoginURL string `json:"login_url"`
		}
		if err := json.Unmarshal([]byte(a.body), &details); err != nil || details.Status != a.StatusCode {
			t.Errorf("%s: %v: status %d says %s", code, err, a.StatusCode, a.body)
		}
		if (details.LoginURL != "") != (a.StatusCode == http.StatusUnauthorized) {
			t.Errorf("%s: login_url = %q", code, details.LoginURL)
		}
		all.WriteString(a.body)
	}
	golden(t, "problems.jsonl", all.String())
}

// The cause of a problem may have a store's address or a provider's text. No caller receives it.
func TestCauseIsShownToNobody(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:6379: token=hunter2")
	for _, err := range []error{
		cause, fmt.Errorf("%w: %w", session.ErrUnavailable, cause), problem.New(problem.CSRF).CausedBy(cause),
		&login.Failure{Kind: problem.InternalError, Err: cause}, echo.NewHTTPError(http.StatusBadRequest, "hunter2"),
		echo.NewHTTPError(http.StatusTeapot, "hunter2").SetInternal(cause),
	} {
		for _, accept := range []string{"application/json", "text/html"} {
			a := receive(t, err, http.MethodGet, "Accept", accept)
			if strings.Contains(a.body, "hunter2") || strings.Contains(a.body, "10.0.0.7") {
				t.Errorf("answer to %v = %s", err, a.body)
			}
		}
	}
}

func TestRetryAfterIsTheProviders(t *testing.T) {
	unreachable := &provider.UnreachableError{Provider: "main", RetryAfter: 90500 * time.Millisecond}
	err := fmt.Errorf("renew: %w", unreachable)
	if got := receive(t, err, http.MethodGet).Header.Get("Retry-After"); got != "91" {
		t.Errorf("Retry-After = %q, want 91", got)
	}
}

// LS13: login_url returns to the page that made the request, if a login may return there.
func TestLoginURLIsMadeOfTheReferer(t *testing.T) {
	for referer, want := range map[string]string{
		"":                                       "/bff/login",
		origin + "/orders?id=1&x=a%20b":          "/bff/login?returnUrl=%2Forders%3Fid%3D1%26x%3Da%2520b",
		origin + "/":                             "/bff/login?returnUrl=%2F",
		origin + "/a#b":                          "/bff/login?returnUrl=%2Fa",
		origin:                                   "/bff/login",
		origin + "/bff/user":                     "/bff/login",
		origin + "/bff/login?returnUrl=/x":       "/bff/login",
		origin + "/%62ff/logout":                 "/bff/login",
		origin + "//e.test":                      "/bff/login",
		origin + "/\\e.test":                     "/bff/login",
		origin + ".evil.test/x":                  "/bff/login",
		origin + ":8443/x":                       "/bff/login",
		origin + "@evil.test/x":                  "/bff/login",
		"http://app.example.com/x":               "/bff/login",
		"https://evil.test/x":                    "/bff/login",
		"/relative":                              "/bff/login",
		origin + "/" + strings.Repeat("a", 5000): "/bff/login",
	} {
		a := receive(t, session.ErrNoSession, http.MethodGet, "Referer", referer)
		var details struct {
			LoginURL string `json:"login_url"`
		}
		if err := json.Unmarshal([]byte(a.body), &details); err != nil || details.LoginURL != want {
			t.Errorf("login_url for Referer %.60q = %q, %v; want %q", referer, details.LoginURL, err, want)
		}
	}
}

func TestHeadHasTheHeadersAndNoBody(t *testing.T) {
	for _, accept := range []string{"application/json", "text/html"} {
		a := receive(t, session.ErrNoSession, http.MethodHead, "Accept", accept)
		if a.StatusCode != http.StatusUnauthorized || a.body != "" || a.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD = %d, %q, %q", a.StatusCode, a.Header.Get("Content-Type"), a.body)
		}
	}
}

// An error removes the headers that describe the answer it replaces. Cookies, Allow and Vary stay.
func TestErrorReplacesAnAnswerThatHadNotBegun(t *testing.T) {
	w := newWriter(t)
	a := fetch(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Length", "3")
		h.Set("ETag", `"x"`)
		h.Set("Location", "/elsewhere")
		h.Set("Allow", "GET, HEAD")
		h.Set("Cache-Control", "public, max-age=60")
		h.Set("Vary", "Origin")
		http.SetCookie(rw, &http.Cookie{Name: "attempt", MaxAge: -1})
		w.Write(rw, r, problem.New(problem.MethodNotAllowed))
	}), http.MethodPost)
	if a.StatusCode != http.StatusMethodNotAllowed || !strings.HasSuffix(a.body, "}\n") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a.Header.Get("ETag") != "" || a.Header.Get("Location") != "" {
		t.Errorf("kept headers of the replaced answer: %v", a.Header)
	}
	if a.Header.Get("Allow") != "GET, HEAD" || len(a.Cookies()) != 1 ||
		a.Header.Get("Cache-Control") != "no-store" || a.Header.Values("Vary")[0] != "Origin" {
		t.Errorf("%v", a.Header)
	}
}

// EchoErrorHandler answers the router's own errors, and adds nothing to an answer that has begun.
func TestEchoErrors(t *testing.T) {
	w := newWriter(t)
	e := echo.New()
	e.HTTPErrorHandler = w.EchoErrorHandler
	e.POST("/x", func(echo.Context) error { return nil })
	a := fetch(t, e, http.MethodGet)
	if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" ||
		!strings.Contains(a.body, `"method_not_allowed"`) {
		t.Errorf("a wrong method = %d, Allow %q: %s", a.StatusCode, a.Header.Get("Allow"), a.body)
	}
	a = fetch(t, echoOf(w, func(echo.Context) error { return echo.ErrNotFound }), http.MethodGet)
	if a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, `"not_found"`) {
		t.Errorf("not found = %d: %s", a.StatusCode, a.body)
	}
	begun := echoOf(w, func(c echo.Context) error {
		if err := c.String(http.StatusOK, "partial"); err != nil {
			return err
		}
		return session.ErrNoSession
	})
	if a := fetch(t, begun, http.MethodGet); a.StatusCode != http.StatusOK || a.body != "partial" {
		t.Errorf("an answer that had begun = %d %q", a.StatusCode, a.body)
	}
	wrapped := echoOf(w, func(c echo.Context) error {
		if err := c.String(http.StatusOK, "partial"); err != nil {
			return err
		}
		w.Write(wrapper{c.Response()}, c.Request(), session.ErrNoSession)
		return nil
	})
	if a := fetch(t, wrapped, http.MethodGet); a.body != "partial" {
		t.Errorf("a wrapped answer that had begun = %q", a.body)
	}
}

type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func echoOf(w *handlers.ErrorWriter, h echo.HandlerFunc) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = w.EchoErrorHandler
	e.GET("/x", h)
	return e
}

// There is one log line per request: Write adds the error to it, and logs nothing itself.
func TestWriteNotesTheErrorForTheRequestsLine(t *testing.T) {
	var out bytes.Buffer
	w := newWriterTo(t, slog.NewTextHandler(&out, nil))
	var noted string
	fetch(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := requestlog.WithNotes(r.Context())
		w.Write(rw, r.WithContext(ctx), fmt.Errorf("load: %w", session.ErrUnavailable))
		noted = fmt.Sprint(requestlog.Attrs(ctx))
	}), http.MethodGet)
	if !strings.Contains(noted, "code=store_unavailable") || !strings.Contains(noted, "error=load: ") {
		t.Errorf("noted %s", noted)
	}
	if out.Len() != 0 {
		t.Errorf("logged %q", out.String())
	}
}

// A caller who hangs up is not logged as an internal error.
func TestCallerWhoHungUpIsNoInternalError(t *testing.T) {
	w := newWriter(t)
	rec := httptest.NewRecorder()
	ctx := requestlog.WithNotes(t.Context())
	ctx, hangUp := context.WithCancel(ctx)
	hangUp()
	w.Write(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/x", nil), ctx.Err())
	if got := fmt.Sprint(requestlog.Attrs(ctx)); rec.Code != 499 || !strings.Contains(got, "client_gone") {
		t.Errorf("%d, noted %s", rec.Code, got)
	}
}
