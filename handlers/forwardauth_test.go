package handlers_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
	"github.com/cloakroom/cloakroom/test/world"
)

// guarded is a service that guards an application instead of proxying it. It listens on own; its
// public origin is that of the proxy in front of both.
func guarded(t *testing.T) (g *world.World, own int) {
	t.Helper()
	g = world.NewStage(t)
	own = servers.FreePort(t)
	cfg := g.Config(own, "sqlite:"+g.DB, "")
	cfg.Proxy.Routes = nil
	cfg.Site.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	cfg.Handlers.ForwardAuthSecret = secret.New(world.ProxySecret)
	g.Run(cfg)
	return g, own
}

// behindNginx is guarded behind a real nginx, set up as deploy/nginx says.
func behindNginx(t *testing.T) *world.World {
	t.Helper()
	g, own := guarded(t)
	nginxInFront(t, g, own)
	return g
}

func nginxInFront(t *testing.T, g *world.World, own int) {
	t.Helper()
	servers.Nginx(t, g.Port, filledIn(t, "../deploy/nginx/forward-auth.conf", "listen 8080", fmt.Sprintf("listen 127.0.0.1:%d", g.Port),
		"CLOAKROOM/", fmt.Sprintf("127.0.0.1:%d/", own), "CLOAKROOM;", fmt.Sprintf("127.0.0.1:%d;", own),
		`"SECRET"`, `"`+world.ProxySecret+`"`, "http://APP", g.API.URL))
}

// behindCaddy is guarded behind a real Caddy, set up as deploy/caddy says.
func behindCaddy(t *testing.T) *world.World {
	t.Helper()
	g, own := guarded(t)
	servers.Caddy(t, g.Port, filledIn(t, "../deploy/caddy/Caddyfile", ":8080 {", fmt.Sprintf(":%d {\n\tbind 127.0.0.1", g.Port),
		" CLOAKROOM {", fmt.Sprintf(" 127.0.0.1:%d {", own),
		`"SECRET"`, `"`+world.ProxySecret+`"`, "reverse_proxy APP", "reverse_proxy "+g.API.URL))
	return g
}

// filledIn returns an example from deploy with the placeholders replaced; pairs are as for
// strings.NewReplacer.
func filledIn(t *testing.T, path string, pairs ...string) string {
	t.Helper()
	example, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(pairs...).Replace(string(example))
}

// The proxy asks before each request. A visitor is sent to log in; a user reaches the application
// with their name and with an access token, which is renewed without being noticed.
func TestForwardAuth(t *testing.T) {
	for name, behind := range map[string]func(*testing.T) *world.World{"nginx": behindNginx, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			g := behind(t)
			g.OP.SetTokenLife(2 * time.Second)
			b := g.Browser()
			r := b.Navigate("/orders?x=1&token=access")
			if to, err := url.Parse(r.Header.Get("Location")); r.StatusCode != http.StatusFound || err != nil ||
				to.Path != "/bff/login" || to.Query().Get("returnUrl") != "/orders?x=1&token=access" {
				t.Errorf("a page for nobody = %d to %q", r.StatusCode, r.Header.Get("Location"))
			}
			b.Get("/orders", "X-Auth-Request-User", "mallory").Want(t, http.StatusUnauthorized, "not_authenticated")
			b.Do(http.MethodPost, "/orders", strings.NewReader("order")).Want(t, http.StatusUnauthorized, "not_authenticated")
			if len(g.API.Requests()) != 0 {
				t.Error("the application was asked")
			}
			b.Login()
			for range 3 {
				r := b.Get("/orders", "X-Auth-Request-User", "mallory", "X-Auth-Request-Email", "m@evil.example",
					"X-Auth-Request-Provider", "evil", "Authorization", "Bearer mine")
				r.Want(t, http.StatusOK, "")
				if r.Header.Get("X-Auth-Request-Access-Token") != "" {
					t.Error("the browser gets the access token")
				}
				all := g.API.Requests()
				seen := all[len(all)-1].Header
				token := strings.TrimPrefix(seen.Get("Authorization"), "Bearer ")
				if !g.OP.AccessTokenLives(token) || seen.Get("X-Auth-Request-User") != "alice" ||
					seen.Get("X-Auth-Request-Email") != "alice@example.com" ||
					seen.Get("Cookie") != "" || seen.Get("X-Auth-Request-Provider") != "" || seen.Get("X-Auth-Request-Access-Token") != "" {
					t.Errorf("the application saw %v", seen)
				}
				time.Sleep(1200 * time.Millisecond)
			}
			if n := len(g.OP.Grants("refresh_token")); n == 0 {
				t.Error("the access token was not renewed")
			}
			// CGI, WSGI and similar interfaces read an underscore as a hyphen (PX8).
			b.Get("/orders", "X_Auth_Request_User", "mallory", "X-Auth_Request-Email", "m@evil.example",
				"X-Plain", "stays").Want(t, http.StatusOK, "")
			seen := g.API.Requests()[len(g.API.Requests())-1].Header
			for field := range seen {
				if strings.Contains(field, "_") {
					t.Errorf("the application saw %s of a browser: %q", field, seen[field])
				}
			}
			if seen.Get("X-Plain") != "stays" {
				t.Errorf("the application saw %v", seen)
			}
			for _, dest := range []string{"style", "script", "image"} {
				b.Get("/app."+dest, loadedBy("same-origin", dest)...).Want(t, http.StatusOK, "")
				b.Get("/app."+dest, loadedBy("cross-site", dest)...).Want(t, http.StatusForbidden, "")
			}
			b.Get("/orders", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site",
				"Sec-Fetch-Mode", "cors").Want(t, http.StatusForbidden, "")

			// A browser that calls the endpoint itself learns only its own identity.
			own := b.Get("/bff/auth")
			if own.StatusCode != http.StatusAccepted || own.Header.Get("X-Auth-Request-User") != "alice" ||
				own.Header.Get("X-Auth-Request-Access-Token") != "" {
				t.Errorf("a browser's own question = %d %v", own.StatusCode, own.Header)
			}
			for _, given := range []string{"", "wrong", world.ProxySecret} { // the proxy takes away what a browser sends
				r := b.Get("/bff/auth?token=access", "X-Forward-Auth-Secret", given)
				if r.StatusCode != http.StatusForbidden || r.Header.Get("X-Auth-Request-Access-Token") != "" {
					t.Errorf("a browser that asks for its access token = %d %v", r.StatusCode, r.Header)
				}
			}
			if r := b.Get("/_auth"); name == "nginx" && r.StatusCode != http.StatusNotFound {
				t.Errorf("the subrequest's own address = %d", r.StatusCode)
			}
			b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusOK, "")
			b.Get("/orders").Want(t, http.StatusUnauthorized, "")
		})
	}
}

// An outage behind forward-auth is not reported as a fault of the application. The answer says when
// to retry, and nobody is sent to log in.
func TestForwardAuthHandsOutagesOn(t *testing.T) {
	for name, behind := range map[string]func(*testing.T) *world.World{"nginx": behindNginx, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			g := behind(t)
			g.OP.SetTokenLife(time.Second)
			b := g.Browser()
			b.Login()
			g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "its own fault", http.StatusInternalServerError)
			})
			if r := b.Get("/orders"); r.StatusCode != http.StatusInternalServerError || r.Text != "its own fault\n" {
				t.Errorf("an error of the application's = %d %s", r.StatusCode, r.Text)
			}
			asked := len(g.API.Requests())
			g.OP.Intercept(odd.Token, odd.OAuthError(http.StatusServiceUnavailable, "temporarily_unavailable", "Retry-After", "17"))
			time.Sleep(1100 * time.Millisecond)
			for _, r := range []*world.Reply{b.Get("/orders"), b.Navigate("/orders")} {
				after, err := strconv.Atoi(r.Header.Get("Retry-After"))
				if r.StatusCode != http.StatusServiceUnavailable || err != nil || after < 10 ||
					!strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
					t.Errorf("with the provider down = %d %v", r.StatusCode, r.Header)
				}
			}
			if len(g.API.Requests()) != asked {
				t.Error("the application was asked")
			}
		})
	}
	t.Run("nginx without cloakroom", func(t *testing.T) {
		g := world.NewStage(t)
		nginxInFront(t, g, servers.FreePort(t))
		g.Browser().Get("/orders").Want(t, http.StatusServiceUnavailable, "")
	})
}

// loadedBy returns the Fetch Metadata of a style sheet, a script or an image that a page of some
// site loads.
func loadedBy(site, dest string) []string {
	return []string{"X-CSRF", "", "Accept", "*/*", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", dest}
}

// Pages of the guarded application load their resources in mode no-cors; pages of other sites may
// not.
func TestForwardAuthKnowsTheApplicationsOwnRequests(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for path, want := range map[string]int{"/bff/auth": http.StatusAccepted, "/bff/auth/app.css": http.StatusOK} {
		for _, dest := range []string{"style", "script", "image"} {
			b.Get(path, loadedBy("same-origin", dest)...).Want(t, want, "")
			for _, site := range []string{"cross-site", "same-site", "none", ""} {
				b.Get(path, loadedBy(site, dest)...).Want(t, http.StatusForbidden, "csrf")
			}
			b.Get(path, append(loadedBy("same-origin", dest), "Origin", g.Origin)...).Want(t, want, "")
			for _, origin := range []string{"https://evil.example", "null"} {
				b.Get(path, append(loadedBy("same-origin", dest), "Origin", origin)...).Want(t, http.StatusForbidden, "csrf")
			}
		}
	}
	b.Get("/bff/user", append(loadedBy("same-origin", "script"), "X-CSRF", "1")...).Want(t, http.StatusForbidden, "csrf")
}

// WebSockets are only for the public origin, also behind a proxy, however much of the handshake the
// proxy forwards and whatever pages of other origins may fetch.
func TestForwardAuthKeepsWebSocketsToThePublicOrigin(t *testing.T) {
	g := world.WithCORS(t)
	b := g.Browser()
	b.Login()
	for mark, value := range map[string]string{"Sec-Fetch-Mode": "websocket", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13"} {
		handshake := []string{"X-CSRF", "", mark, value}
		for origin, want := range map[string]int{
			g.Origin:               http.StatusAccepted,
			world.SPAOrigin:        http.StatusForbidden,
			"https://evil.example": http.StatusForbidden,
			"":                     http.StatusForbidden,
		} {
			for _, site := range []string{"same-origin", "same-site", ""} {
				r := b.Get("/bff/auth", append(handshake, "Origin", origin, "Sec-Fetch-Site", site)...)
				if site == "same-site" && origin == g.Origin {
					continue // no browser says that
				}
				if r.StatusCode != want {
					t.Errorf("a handshake told by %s, of %q, %s = %d, want %d", mark, origin, site, r.StatusCode, want)
				}
			}
		}
	}
	b.Get("/bff/auth", append(world.FromSPA(world.SPAOrigin), "X-CSRF", "")...).Want(t, http.StatusAccepted, "")
}

// Envoy replaces request fields only by those in the answer. The answer therefore has every field,
// so that a browser can't set one that this service leaves empty.
func TestForwardAuthSaysEveryField(t *testing.T) {
	g, own := guarded(t)
	for name, email := range map[string]any{"none": "", "no text": 7, "two fields": "a@x\r\nX-Auth-Request-User: admin"} {
		g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["email"] = email })
		g.Origin = fmt.Sprintf("http://localhost:%d", own)
		b := g.Browser()
		b.Login()
		for _, path := range []string{"/bff/auth", "/bff/auth/orders"} {
			answer := b.Get(path)
			for _, field := range []string{
				"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Preferred-Username",
				"X-Auth-Request-Issuer", "X-Auth-Request-Provider", "X-Auth-Request-Access-Token",
			} {
				if len(answer.Header[field]) != 1 {
					t.Errorf("%s with %s has %s %q, want it once", path, name, field, answer.Header[field])
				}
			}
			if answer.Header.Get("X-Auth-Request-User") != "alice" || answer.Header.Get("X-Auth-Request-Email") != "" {
				t.Errorf("%s with %s = %v", path, name, answer.Header)
			}
		}
	}
}

// OIDC Core §5.7: an e-mail address that is not verified identifies nobody.
func TestForwardAuthKeepsUnverifiedAddressesBack(t *testing.T) {
	g := world.New(t, "")
	for verified, want := range map[any]string{false: "", "false": "", true: "alice@example.com", nil: "alice@example.com"} {
		g.OP.OnClaims(func(_ string, claims odd.Claims) {
			claims["email"], claims["email_verified"] = "alice@example.com", verified
		})
		b := g.Browser()
		b.Login()
		if got := b.Get("/bff/auth").Header.Get("X-Auth-Request-Email"); got != want {
			t.Errorf("email_verified %v: the application is told %q, want %q", verified, got, want)
		}
	}
}

// followed are the headers of a navigation from another site: by a link, or by a redirect of the
// provider.
var followed = []string{
	"X-CSRF", "", "Accept", "text/html",
	"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site",
}

// A SameSite=Strict cookie is not sent on a navigation from another site, such as the return from
// the provider. The browser is made to repeat the request before anybody is sent to log in.
func TestForwardAuthAsksForTheStrictCookie(t *testing.T) {
	leadsBack := func(r *world.Reply, to string) {
		t.Helper()
		if r.StatusCode != http.StatusUnauthorized || !strings.Contains(r.Text, `<meta http-equiv="refresh" content="0; url=`+to+`">`) {
			t.Errorf("%s by a link of another site = %d, want 401 and a way back to it: %s", r.Request.URL, r.StatusCode, r.Text)
		}
	}
	leadsToLogin := func(r *world.Reply) {
		t.Helper()
		if to := r.Header.Get("Location"); r.StatusCode != http.StatusFound || !strings.Contains(to, "/bff/login?returnUrl=") {
			t.Errorf("%s = %d to %q, want a login", r.Request.URL, r.StatusCode, to)
		}
	}
	for name, behind := range map[string]func(*testing.T) *world.World{"nginx": behindNginx, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			g := behind(t)
			leadsBack(g.Browser().Get("/orders?x=1&y=%22", followed...), "/orders?x=1&amp;y=%22")
			leadsToLogin(g.Browser().Navigate("/orders?x=1"))
			b := g.Browser()
			b.Login()
			b.Get("/orders", followed...).Want(t, http.StatusOK, "")
		})
	}
	g := world.New(t, "")
	b := g.Browser()
	leadsBack(b.Get("/bff/auth/orders?x=1", followed...), "/orders?x=1")
	leadsBack(b.Get("/bff/auth?login=redirect", append(followed, "X-Forwarded-Uri", "/orders")...), "/orders")
	b.Get("/bff/auth", followed...).Want(t, http.StatusUnauthorized, "")
	for _, page := range []string{"//evil.example/", "/bff/logout"} { // for the login to refuse
		leadsToLogin(b.Get("/bff/auth"+page, followed...))
	}
	b.Get("/bff/auth/orders", append(followed, "Sec-Fetch-Dest", "iframe")...).Want(t, http.StatusFound, "")
	leadsToLogin(world.New(t, "  cookie: {same_site: lax}").Browser().Get("/bff/auth/orders", followed...))
}

// Envoy's ext_authz asks with the method and query of the request, below a prefix; Traefik asks
// under a host name of its own. Neither program is available here: these are the requests that
// their documentation describes.
func TestForwardAuthAsEnvoyAndTraefikAsk(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Handlers.ForwardAuthSecret = secret.New(world.ProxySecret)
	cfg.Site.TrustedProxies = append(cfg.Site.TrustedProxies, netip.MustParsePrefix("127.0.0.1/32"))
	g.Run(cfg)
	b := g.Browser()
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	returnsTo := func(r *world.Reply, want string) {
		t.Helper()
		to, err := url.Parse(r.Header.Get("Location"))
		if r.StatusCode != http.StatusFound || err != nil ||
			!strings.HasPrefix(to.String(), g.Origin+"/bff/login?") || to.Query().Get("returnUrl") != want {
			t.Errorf("nobody's page = %d to %q, want a login for %q", r.StatusCode, to, want)
		}
	}
	returnsTo(b.Get("/bff/auth/orders/7?token=access&login=no", page...), "/orders/7?token=access&login=no")
	returnsTo(b.Get("/bff/auth/caf%C3%A9%20au", page...), "/caf%C3%A9%20au")
	returnsTo(b.Get("/bff/auth/", page...), "/")
	returnsTo(b.Get("/bff/auth?login=redirect", append(page, "X-Forwarded-Uri", "/orders?x=1")...), "/orders?x=1")
	returnsTo(b.Get("/bff/auth?login=redirect", page...), "/")
	b.Get("/bff/auth?login=redirect", "X-Forwarded-Uri", "/orders").Want(t, http.StatusUnauthorized, "not_authenticated") // a fetch
	b.Do(http.MethodPost, "/bff/auth/orders", nil).Want(t, http.StatusUnauthorized, "not_authenticated")
	hostile := b.Navigate(strings.TrimPrefix(b.Get("/bff/auth//evil.example/", page...).Header.Get("Location"), g.Origin))
	hostile.Want(t, http.StatusBadRequest, "")

	b.Login()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		r := b.Do(method, "/bff/auth/orders?token=access", nil, "X-Forward-Auth-Secret", world.ProxySecret)
		if r.StatusCode != http.StatusOK || r.Header.Get("X-Auth-Request-User") != "alice" ||
			!g.OP.AccessTokenLives(r.Header.Get("X-Auth-Request-Access-Token")) {
			t.Errorf("%s = %d %v", method, r.StatusCode, r.Header)
		}
	}
	if r := b.Get("/bff/auth/orders?token=access"); r.StatusCode != http.StatusOK || r.Header.Get("X-Auth-Request-Access-Token") != "" {
		t.Errorf("without the secret = %d %v", r.StatusCode, r.Header)
	}
	b.Get("/bff/auth/orders", "X-Forward-Auth-Secret", "wrong").Want(t, http.StatusForbidden, "forbidden")
	b.Do(http.MethodPost, "/bff/auth/orders", nil, "Origin", "https://evil.example",
		"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate").Want(t, http.StatusForbidden, "")

	u, err := url.Parse(g.Origin)
	if err != nil {
		t.Fatal(err)
	}
	b = g.Browser() // net/http sends cookies by the Host field
	for host, want := range map[string]int{
		u.Host:                    http.StatusUnauthorized,
		"evil.example":            http.StatusMisdirectedRequest,
		"":                        http.StatusMisdirectedRequest,
		"evil.example, " + u.Host: http.StatusMisdirectedRequest,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Origin+"/bff/auth", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "cloakroom:8080"
		req.Header["X-Forwarded-Host"] = []string{host}
		if r := b.Send(req); r.StatusCode != want {
			t.Errorf("asked as cloakroom:8080 for %q = %d, want %d", host, r.StatusCode, want)
		}
	}
}

// Only a trusted proxy can say under which host name a request came.
func TestForwardedHostIsATrustedProxysToSay(t *testing.T) {
	g := world.New(t, "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Origin+"/bff/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", strings.TrimPrefix(g.Origin, "http://"))
	g.Browser().Send(req).Want(t, http.StatusMisdirectedRequest, "")
}
