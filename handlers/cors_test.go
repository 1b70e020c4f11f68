package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/world"
)

// CS4, CS5: a page of an allowed origin logs in, reads its 401s, calls the API and logs out.
func TestPageOfAnAllowedOriginIsServed(t *testing.T) {
	g := world.WithCORS(t)
	b := g.Browser()
	readable := func(r *world.Reply) {
		t.Helper()
		if r.Header.Get("Access-Control-Allow-Origin") != world.SPAOrigin ||
			r.Header.Get("Access-Control-Allow-Credentials") != "true" ||
			!strings.Contains(strings.Join(r.Header["Vary"], ","), "Origin") {
			t.Errorf("%s %s can't be read: %v", r.Request.Method, r.Request.URL.Path, r.Header)
		}
	}
	for path, methods := range map[string]string{"/api/x": "PUT", "/bff/user": "GET", "/bff/logout": "POST", "/bff/sessions/x": "DELETE"} {
		r := b.Do(http.MethodOptions, path, nil, append(world.FromSPA(world.SPAOrigin),
			"X-CSRF", "", "Access-Control-Request-Method", methods,
			"Access-Control-Request-Headers", "content-type,x-csrf")...)
		r.Want(t, http.StatusNoContent, "")
		readable(r)
		if !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), methods) ||
			r.Header.Get("Access-Control-Allow-Headers") != "content-type,x-csrf" {
			t.Errorf("preflight of %s %s permits %v", methods, path, r.Header)
		}
	}
	if len(g.API.Requests()) != 0 {
		t.Error("a preflight reached the API")
	}
	anonymous := b.Get("/api/x", append(world.FromSPA(world.SPAOrigin), "Referer", world.SPAOrigin+"/page?a=b")...)
	anonymous.Want(t, http.StatusUnauthorized, "not_authenticated")
	readable(anonymous)
	back := url.QueryEscape(world.SPAOrigin + "/page?a=b")
	if !strings.Contains(anonymous.Text, "/bff/login?returnUrl="+back) {
		t.Errorf("the 401 leads to %s, want back to the app's page", anonymous.Text)
	}
	begin := b.Navigate("/bff/login?returnUrl=" + back)
	if r := b.Navigate(g.OP.Login(begin.Header.Get("Location")).RequestURI()); r.Header.Get("Location") != world.SPAOrigin+"/page?a=b" {
		t.Errorf("the login ends at %q", r.Header.Get("Location"))
	}
	for _, path := range []string{"/api/x", "/meta/x", "/bff/user", "/bff/session"} {
		r := b.Get(path, world.FromSPA(world.SPAOrigin)...)
		r.Want(t, http.StatusOK, "")
		readable(r)
	}
	b.Get("/api/x", append(world.FromSPA(world.SPAOrigin), "X-CSRF", "")...).Want(t, http.StatusForbidden, "csrf")
	r := b.Do(http.MethodPost, "/bff/logout", nil, world.FromSPA(world.SPAOrigin)...)
	r.Want(t, http.StatusOK, "")
	readable(r)
}

// CS4: origins must match exactly, and other origins get no CORS header.
func TestPagesOfOtherOriginsStayOut(t *testing.T) {
	g := world.WithCORS(t)
	b := g.Browser()
	b.Login()
	for _, origin := range []string{
		"http://localhost:4174", world.SPAOrigin + ".evil.example", "null",
		"http://LOCALHOST:4173", "https://localhost:4173", world.SPAOrigin + "/",
	} {
		for _, path := range []string{"/api/x", "/bff/user"} {
			r := b.Get(path, world.FromSPA(origin)...)
			r.Want(t, http.StatusForbidden, "csrf")
			pre := b.Do(http.MethodOptions, path, nil, append(world.FromSPA(origin), "Access-Control-Request-Method", "GET")...)
			for _, answer := range []*world.Reply{r, pre} {
				if answer.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s may read %s", origin, path)
				}
			}
		}
	}
	for _, to := range []string{
		world.SPAOrigin + ".evil.example/", world.SPAOrigin + "@evil.example/", "http://localhost:4174/",
		world.SPAOrigin + "\\@evil.example", world.SPAOrigin + "//evil.example", "//evil.example",
	} {
		b.Navigate("/bff/login?returnUrl="+url.QueryEscape(to)).Want(t, http.StatusBadRequest, "")
	}
	off := world.New(t, "").Browser().Get("/bff/user", world.FromSPA(world.SPAOrigin)...)
	if off.StatusCode != http.StatusForbidden || off.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("by default = %d %v", off.StatusCode, off.Header)
	}
}

// To a reverse proxy, 2xx means that the request belongs to a user. A preflight does not say who
// sends it, so it is refused.
func TestPreflightIsNoWayPastForwardAuth(t *testing.T) {
	g := world.WithCORS(t)
	for _, path := range []string{"/bff/auth", "/bff/auth/orders"} {
		r := g.Browser().Do(http.MethodOptions, path, nil, append(world.FromSPA(world.SPAOrigin),
			"X-CSRF", "", "Access-Control-Request-Method", "DELETE")...)
		if r.StatusCode < 400 {
			t.Errorf("a preflight at %s = %d, and the proxy passes it on", path, r.StatusCode)
		}
	}
}

// LS15, OIDC Core §4: a provider or a portal starts logins, by GET or POST.
func TestThirdPartyMayInitiateALogin(t *testing.T) {
	g := world.New(t, "")
	iss := g.OP.Issuer()
	b := g.Browser()
	post := func(form url.Values) *world.Reply {
		return b.Do(http.MethodPost, "/bff/login", strings.NewReader(form.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "X-CSRF", "",
			"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
			"Sec-Fetch-Site", "cross-site", "Origin", iss)
	}
	get := func(form url.Values) *world.Reply {
		return b.Get("/bff/login?"+form.Encode(), "X-CSRF", "", "Accept", "text/html",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
	}
	for name, send := range map[string]func(url.Values) *world.Reply{"GET": get, "POST": post} {
		for target, lands := range map[string]string{
			"": "/", "/orders?x=1": "/orders?x=1", g.Origin + "/orders": "/orders", g.Origin: "/",
		} {
			form := url.Values{"iss": {iss}, "login_hint": {"alice"}, "prompt": {"consent"}, "acr_values": {"weak"}}
			if target != "" {
				form.Set("target_link_uri", target)
			}
			b.ForgetCookie("cloakroom-logins") // each is a login of its own
			begin := send(form)
			to, err := url.Parse(begin.Header.Get("Location"))
			if err != nil || !strings.HasPrefix(to.String(), iss) {
				t.Fatalf("%s: login = %d to %q", name, begin.StatusCode, to)
			}
			if q := to.Query(); q.Get("login_hint") != "alice" || q.Has("acr_values") ||
				q.Get("prompt") != "consent" && q.Has("prompt") {
				t.Errorf("%s: the provider is asked for %v", name, to.Query())
			}
			if back := b.Navigate(g.OP.Login(to.String()).RequestURI()); back.Header.Get("Location") != lands {
				t.Errorf("%s: target %q lands at %q, want %q", name, target, back.Header.Get("Location"), lands)
			}
		}
		send(url.Values{"iss": {"https://evil.example"}}).Want(t, http.StatusNotFound, "")
		send(url.Values{"iss": {iss, iss}}).Want(t, http.StatusNotFound, "")
		send(url.Values{"target_link_uri": {"/x"}}).Want(t, http.StatusNotFound, "")
		for _, target := range []string{
			"https://evil.example/", "//evil.example", g.Origin + ".evil.example/",
			g.Origin + "/bff/logout", g.Origin + "@evil.example",
		} {
			send(url.Values{"iss": {iss}, "target_link_uri": {target}}).Want(t, http.StatusBadRequest, "")
		}
	}
}
