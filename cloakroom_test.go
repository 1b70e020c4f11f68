package cloakroom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cloakroom/cloakroom"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// greeting is a page of the program.
func greeting(bff *cloakroom.Service) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := bff.Session(r)
		if cloakroom.LoggedOut(err) {
			fmt.Fprint(w, "who are you? ", bff.LoginURL(r.URL.Path))
			return
		}
		if err != nil {
			bff.Fail(w, r, err)
			return
		}
		var claims struct{ Email string }
		if err := s.Claims(&claims); err != nil {
			bff.Fail(w, r, err)
			return
		}
		fmt.Fprintf(w, "hello %s of %s, %s; leave by %s", s.Subject, s.Provider, claims.Email, s.LogoutURL())
	}
}

// inNetHTTP and inEcho are the two kinds of programs.
func inNetHTTP(bff *cloakroom.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", greeting(bff))
	return bff.Middleware(mux)
}

func inEcho(bff *cloakroom.Service) http.Handler {
	e := echo.New()
	e.Use(bff.EchoMiddleware)
	e.GET("/*", echo.WrapHandler(greeting(bff)))
	return e
}

func inBoth(t *testing.T, test func(t *testing.T, in func(*cloakroom.Service) http.Handler)) {
	for name, in := range map[string]func(*cloakroom.Service) http.Handler{"net/http": inNetHTTP, "Echo": inEcho} {
		t.Run(name, func(t *testing.T) { test(t, in) })
	}
}

func TestAProgramKnowsWhoIsLoggedIn(t *testing.T) {
	inBoth(t, func(t *testing.T, in func(*cloakroom.Service) http.Handler) {
		h := newHost(t)
		h.serve(in(h.service(h.config(), cloakroom.Options{})))
		b := h.browser()
		b.get("/hello").want(t, http.StatusOK, "who are you? /bff/login?returnUrl=%2Fhello")
		b.login("/bff", "/hello").want(t, http.StatusOK, "hello alice of main, alice@example.com")
		b.fetch("/bff/user?format=object").want(t, http.StatusOK, `"sub":"alice"`)
		_, logout, _ := strings.Cut(b.get("/hello").text, "leave by ")
		b.get(logout, "Sec-Fetch-Mode", "navigate")
		b.get("/hello").want(t, http.StatusOK, "who are you?")
	})
}

// The endpoints answer with their documented headers wherever they are mounted, and in every
// spelling of their path. The responses of the program are unchanged.
func TestEndpointsAnswerWithTheirHeadersAndTheProgramWithItsOwn(t *testing.T) {
	inBoth(t, func(t *testing.T, in func(*cloakroom.Service) http.Handler) {
		h := newHost(t)
		h.serve(in(h.service(h.config(), cloakroom.Options{})))
		b := h.browser()
		for _, path := range []string{"/bff/user", "/bff/nothing", "/%62ff/user", "/bff"} {
			r := b.fetch(path)
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
				"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Content-Type": "application/problem+json",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: %s = %q, want %q", path, name, got, want)
				}
			}
			if r.Header.Get("X-Request-Id") == "" || !strings.Contains(r.text, r.Header.Get("X-Request-Id")) {
				t.Errorf("%s: request id %q, body %s", path, r.Header.Get("X-Request-Id"), r.text)
			}
		}
		r := b.get("/page")
		for _, name := range []string{"X-Request-Id", "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control", "Vary"} {
			if got := r.Header.Get(name); got != "" {
				t.Errorf("the program's own page has %s: %q", name, got)
			}
		}
	})
}

// A program that calls an API itself gets a valid token, never an expired one.
func TestAccessTokensAreRenewed(t *testing.T) {
	h := newHost(t)
	h.op.SetTokenLife(time.Second)
	bff := h.service(h.config(), cloakroom.Options{})
	var mayFail error // of the last request for a token
	h.serve(bff.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := bff.Session(r)
		if err == nil {
			accessToken, tokenErr := s.AccessToken(r.Context())
			mayFail = tokenErr
			fmt.Fprint(w, accessToken.Reveal())
		}
	})))
	b := h.browser()
	first := b.login("/bff", "/token").text
	if !h.op.AccessTokenLives(first) {
		t.Fatalf("the first token is not one of the provider's")
	}
	time.Sleep(1100 * time.Millisecond)
	second := b.get("/token").text
	if mayFail != nil || second == first || !h.op.AccessTokenLives(second) {
		t.Errorf("after it ran out: the same token = %t, error %v", second == first, mayFail)
	}
	h.op.Intercept(odd.Token, odd.OAuthError(http.StatusBadRequest, "invalid_grant"))
	time.Sleep(1100 * time.Millisecond)
	b.get("/token")
	if !cloakroom.LoggedOut(mayFail) {
		t.Errorf("after the provider refused: %v, want an error that only a login mends", mayFail)
	}
}

func TestAProgramChangesWhatIsShownOfAUser(t *testing.T) {
	h := newHost(t)
	h.op.OnClaims(func(_ string, c odd.Claims) { c["age"], c["bff:logout_url"] = 1<<53+1, "/evil" })
	fail := false
	h.serve(h.service(h.config(), cloakroom.Options{
		Claims: func(_ context.Context, s *cloakroom.Session, claims map[string]any) error {
			if fail {
				return errors.New("the database is down")
			}
			claims["roles"] = []string{"reader of " + s.Provider}
			claims["bff:session_expires_in"] = 1e9
			delete(claims, "email")
			return nil
		},
	}).Handler())
	b := h.browser()
	b.login("/bff", "/")
	r := b.fetch("/bff/user?format=object")
	r.want(t, http.StatusOK, `"roles":["reader of main"]`)
	r.want(t, http.StatusOK, `"age":9007199254740993`)
	r.want(t, http.StatusOK, `"bff:logout_url":"/bff/logout?sid=`)
	for _, not := range []string{"alice@example.com", "1000000000", "/evil"} {
		if strings.Contains(r.text, not) {
			t.Errorf("%s has %q", r.text, not)
		}
	}
	b.fetch("/bff/user").want(t, http.StatusOK, `{"type":"roles","value":"reader of main"}`)
	fail = true
	r = b.fetch("/bff/user")
	r.want(t, http.StatusInternalServerError, "internal_error")
	if strings.Contains(r.text, "database") {
		t.Errorf("the browser is told %s", r.text)
	}
}

func TestAProgramRefusesALogin(t *testing.T) {
	h := newHost(t)
	verdict := cloakroom.Refuse("only <staff> may come in")
	h.serve(h.service(h.config(), cloakroom.Options{
		Admit: func(_ context.Context, u cloakroom.User) error {
			var claims struct{ Email string }
			if err := u.Claims(&claims); err != nil || u.Provider != "main" || claims.Email != "alice@example.com" {
				t.Errorf("asked about %+v, %v, %v", u, claims, err)
			}
			return verdict
		},
	}).Handler())
	b := h.browser()
	page := b.login("/bff", "/")
	page.want(t, http.StatusForbidden, "access_denied")
	page.want(t, http.StatusForbidden, "only &lt;staff&gt; may come in")
	b.fetch("/bff/user").want(t, http.StatusUnauthorized, "not_authenticated")
	eventually(t, "the tokens to be revoked", func() bool { return len(h.op.LiveRefreshTokens()) == 0 })

	verdict = errors.New("the database is down")
	page = b.login("/bff", "/")
	page.want(t, http.StatusInternalServerError, "internal_error")
	if strings.Contains(page.text, "database") {
		t.Errorf("the user is told %s", page.text)
	}
	// Whatever the program's error wraps, it is not taken for a failure of this login.
	for _, wrapped := range []error{
		problem.New(problem.CSRF), provider.ErrUnreachable,
		&provider.OAuthError{Code: "hostile", Description: "not of this provider"},
	} {
		verdict = fmt.Errorf("look up the user: %w", wrapped)
		page = b.login("/bff", "/")
		page.want(t, http.StatusInternalServerError, "internal_error")
		if strings.Contains(page.text, "hostile") || strings.Contains(page.text, "not of this provider") {
			t.Errorf("the user is told %s", page.text)
		}
	}
	verdict = nil
	b.login("/bff", "/")
	b.fetch("/bff/user").want(t, http.StatusOK, "alice")
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Two services in one process share no sessions and no metrics, and each is closed separately, even
// if both are behind one origin.
func TestTwoServicesDoNotDisturbEachOther(t *testing.T) {
	h := newHost(t)
	registry := prometheus.NewRegistry()
	labelled := func(name string) prometheus.Registerer {
		return prometheus.WrapRegistererWith(prometheus.Labels{"service": name}, registry)
	}
	a := h.service(h.config(), cloakroom.Options{Metrics: labelled("a")})
	second := h.config()
	second.Site.BasePath, second.Site.CookieName = "/staff", "staff"
	b, err := cloakroom.New(second, cloakroom.Options{Metrics: labelled("b")})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := cloakroom.New(h.config(), cloakroom.Options{Metrics: labelled("b")}); err == nil {
		t.Error("a third service takes the second's metrics", again.Close())
	}
	h.serve(a.Middleware(b.Middleware(http.NotFoundHandler())))
	user := h.browser()
	user.login("/bff", "/")
	user.fetch("/bff/user").want(t, http.StatusOK, "/bff/logout")
	user.fetch("/staff/user").want(t, http.StatusUnauthorized, "/staff/login")
	user.login("/staff", "/")
	user.fetch("/staff/user").want(t, http.StatusOK, "/staff/logout")
	user.fetch("/bff/user").want(t, http.StatusOK, "/bff/logout")

	if n, err := testutil.GatherAndCount(registry, "cloakroom_logins_total"); n != 2 || err != nil {
		t.Errorf("series of logins = %d, %v, want one of each service", n, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "cloakroom_logins_total"); n != 1 || err != nil {
		t.Errorf("series of logins after the second has closed = %d, %v, want the first's", n, err)
	}
	user.fetch("/bff/user").want(t, http.StatusOK, "/bff/logout")
	if err := b.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// A program's own store and its sessions outlive the services that use it.
func TestAStoreOfTheProgramsOwnStaysOpen(t *testing.T) {
	h := newHost(t)
	cfg, own := h.config(), memory.New().Parts()
	first, err := cloakroom.New(cfg, cloakroom.Options{Store: own})
	if err != nil {
		t.Fatal(err)
	}
	current := first.Handler()
	h.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.ServeHTTP(w, r) }))
	b := h.browser()
	b.login("/bff", "/")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	current = h.service(cfg, cloakroom.Options{Store: own}).Handler()
	b.fetch("/bff/user").want(t, http.StatusOK, "alice")

	cfg.Keys.Keys = nil
	_, err = cloakroom.New(cfg, cloakroom.Options{Store: own})
	if err == nil || !strings.Contains(err.Error(), "session.keys is missing") {
		t.Errorf("without keys: %v", err)
	}
}

func TestFaultsOfAConfigurationAreAllTold(t *testing.T) {
	_, err := cloakroom.New(&config.Config{}, cloakroom.Options{})
	for _, want := range []string{"server.public_url is missing", "providers is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q in it", err, want)
		}
	}
}

// Handlers of the program can detect a request that another site has forged, and answer it as the
// endpoints do.
func TestAProgramRefusesForgedRequests(t *testing.T) {
	h := newHost(t)
	bff := h.service(h.config(), cloakroom.Options{})
	h.serve(bff.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := bff.CheckCSRF(r); err != nil {
			bff.Fail(w, r, err)
			return
		}
		if _, err := bff.Session(r); err != nil {
			bff.Fail(w, r, err)
		}
	})))
	b := h.browser()
	b.get("/orders").want(t, http.StatusForbidden, `"code":"csrf"`)
	b.get("/orders", "X-CSRF", "1", "Origin", "https://evil.example").want(t, http.StatusForbidden, `"code":"csrf"`)
	r := b.get("/orders", "X-CSRF", "1", "Referer", h.origin+"/page")
	r.want(t, http.StatusUnauthorized, `"login_url":"/bff/login?returnUrl=%2Fpage"`)
	r.want(t, http.StatusUnauthorized, `"request_id":"`+r.Header.Get("X-Request-Id")+`"`)
	b.get("/orders", "Accept", "text/html", "Sec-Fetch-Mode", "navigate").want(t, http.StatusForbidden, "<!doctype html>")
	b.login("/bff", "/")
	b.fetch("/orders").want(t, http.StatusOK, "")
}

// Routes and endless responses work behind both kinds of middleware. Drain ends such responses.
func TestRoutesAndEventStreamsWorkInAProgram(t *testing.T) {
	inBoth(t, func(t *testing.T, in func(*cloakroom.Service) http.Handler) {
		h := newHost(t)
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
				if err == nil {
					_ = c.Write(r.Context(), websocket.MessageText, []byte("hello"))
					_ = c.Close(websocket.StatusNormalClosure, "")
				}
				return
			}
			fmt.Fprint(w, r.URL.Path, " as ", h.op.AccessTokenLives(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		}))
		t.Cleanup(api.Close)
		upstream, err := url.Parse(api.URL)
		if err != nil {
			t.Fatal(err)
		}
		cfg := h.config()
		cfg.Proxy.Routes = []proxy.Route{{Path: "/api/", Upstream: upstream}}
		bff := h.service(cfg, cloakroom.Options{})
		h.serve(in(bff))
		b := h.browser()
		b.login("/bff", "/hello")
		b.fetch("/api/orders").want(t, http.StatusOK, "/orders as true")
		b.fetch("/api/%2e%2e/hello").want(t, http.StatusBadRequest, "bad_request")

		c, _, err := websocket.Dial(t.Context(), h.origin+"/api/live", &websocket.DialOptions{
			HTTPClient: b.client, HTTPHeader: http.Header{"Origin": {h.origin}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.CloseNow() }()
		if _, message, err := c.Read(t.Context()); string(message) != "hello" {
			t.Errorf("the WebSocket says %q, %v", message, err)
		}

		resp, err := b.client.Get(h.origin + "/bff/events")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if n, err := resp.Body.Read(make([]byte, 1)); n != 1 {
			t.Fatalf("the stream says nothing: %v", err)
		}
		bff.Drain()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Errorf("the stream broke: %v", err)
		}
	})
}

// counting is a transport that counts requests; a program passes it in Options.
type counting struct{ requests atomic.Int64 }

// RoundTrip implements http.RoundTripper.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// A program can mount the handler of the command's admin listener.
// Requests to providers use the transport of Options.
func TestAProgramMountsHealthAndMetrics(t *testing.T) {
	h := newHost(t)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	transport := new(counting)
	bff := h.service(h.config(), cloakroom.Options{Transport: transport})
	h.serve(bff.Admin())
	b := h.browser()
	eventually(t, "the provider to be known", func() bool { return b.get("/readyz").StatusCode == http.StatusOK })
	if transport.requests.Load() == 0 {
		t.Error("the provider was asked another way")
	}
	metrics := b.get("/metrics")
	metrics.want(t, http.StatusOK, "cloakroom_provider_requests_total")
	metrics.want(t, http.StatusOK, "go_goroutines")
	bff.Drain()
	b.get("/readyz").want(t, http.StatusServiceUnavailable, "shutting down")
}
