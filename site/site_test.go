package site_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func TestZeroOptionsHaveTheirDefaults(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	if s.Path("/user") != "/bff/user" || s.SessionCookie() != "__Host-Http-cloakroom" || !s.StrictCookie() {
		t.Errorf("path %q, cookie %q, strict %v", s.Path("/user"), s.SessionCookie(), s.StrictCookie())
	}
}

func TestOptionsThatCanNotWorkAreRefused(t *testing.T) {
	public := &url.URL{Scheme: "https", Host: "app.example.com"}
	for what, o := range map[string]site.Options{
		"no public URL":       {},
		"another scheme":      {PublicURL: &url.URL{Scheme: "ftp", Host: "app.example.com"}},
		"no host":             {PublicURL: &url.URL{Scheme: "https"}},
		"a path":              {PublicURL: &url.URL{Scheme: "https", Host: "app.example.com", Path: "/x"}},
		"a query":             {PublicURL: &url.URL{Scheme: "https", Host: "app.example.com", RawQuery: "a"}},
		"no slash before":     {PublicURL: public, BasePath: "bff"},
		"a slash behind":      {PublicURL: public, BasePath: "/bff/"},
		"the root":            {PublicURL: public, BasePath: "/"},
		"bad cookie name":     {PublicURL: public, CookieName: "a b"},
		"prefix on http":      {PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, CookieName: "__Host-Http-cloakroom"},
		"a second prefix":     {PublicURL: public, CookieName: "__secure-cloakroom"},
		"cookie for anywhere": {PublicURL: public, SameSite: http.SameSiteNoneMode}, // SC3
		"unknown SameSite":    {PublicURL: public, SameSite: 17},
	} {
		if _, err := site.New(o); err == nil {
			t.Errorf("%s: it was accepted", what)
		}
	}
}

// LS6: no request can change them.
func TestURIsComeFromThePublicURLAlone(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{BasePath: "/a/b"})
	for _, c := range []struct{ what, got, want string }{
		{"origin", s.Origin(), "https://app.example.com"},
		{"redirect URI", s.RedirectURI("main"), "https://app.example.com/a/b/callback/main"},
		{"post-logout redirect URI", s.PostLogoutRedirectURI("main"), "https://app.example.com/a/b/logout/callback/main"},
		{"back-channel logout URI", s.BackchannelLogoutURI("main"), "https://app.example.com/a/b/backchannel/main"},
		{"front-channel logout URI", s.FrontchannelLogoutURI("main"), "https://app.example.com/a/b/frontchannel/main"},
		{"keys", s.JWKSURI("main"), "https://app.example.com/a/b/jwks/main"},
		{"an endpoint", s.URL("/logout/continue"), "https://app.example.com/a/b/logout/continue"},
		{"sessions page", s.SessionsPage(), "/a/b/sessions"},
		{"login", s.LoginURL(nil), "/a/b/login"},
		{"login with parameters", s.LoginURL(url.Values{"provider": {"x"}, "acr_values": {"a b"}}), "/a/b/login?acr_values=a+b&provider=x"},
		{"login and back", s.LoginBackTo("/x?y=z&é"), "/a/b/login?returnUrl=%2Fx%3Fy%3Dz%26%C3%A9"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
		}
	}
}

// LS13: a login leads back to the page in the Referer, which is checked like any return URL.
func TestLoginLeadsBackToWhereTheRequestCameFrom(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{
		AllowedOrigins: []string{"https://spa.example.com", "https://app.example.com:8443"},
	})
	for referer, want := range map[string]string{
		"": "/bff/login",
		"https://app.example.com/orders?x=1#part": "/bff/login?returnUrl=%2Forders%3Fx%3D1",
		"https://app.example.com":                 "/bff/login",
		"https://app.example.com/bff/logout":      "/bff/login",
		"https://app.example.com.evil.example/":   "/bff/login",
		"https://evil.example/orders":             "/bff/login",
		"/orders":                                 "/bff/login",
		"https://spa.example.com/orders":          "/bff/login?returnUrl=https%3A%2F%2Fspa.example.com%2Forders",
		"https://spa.example.com/bff/logout":      "/bff/login",
		"https://app.example.com:8443/orders":     "/bff/login?returnUrl=https%3A%2F%2Fapp.example.com%3A8443%2Forders",
		"https://app.example.com:9443/orders":     "/bff/login",
	} {
		r := httptest.NewRequest(http.MethodGet, "/api/x", nil)
		r.Header.Set("Referer", referer)
		if got := s.LoginFrom(r); got != want {
			t.Errorf("from %q: %q, want %q", referer, got, want)
		}
	}
}

// PR4, BR6: the base path ends where a segment does.
func TestOwnPathsAreAtOrBelowTheBasePath(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	for path, want := range map[string]bool{
		"/bff": true, "/bff/": true, "/bff/user": true,
		"/bffx": false, "/BFF/user": false, "/bff;x": false, "/": false, "": false, "/x/bff/user": false,
	} {
		if got := s.Owns(path); got != want {
			t.Errorf("%q is ours = %v, want %v", path, got, want)
		}
	}
}

// MD4, MD2: one function decides which hosts are always this machine.
func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "app.localhost": true, "App.LocalHost": true,
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "notlocalhost": false, "127.0.0.1.example.com": false,
		"10.0.0.1": false, "0.0.0.0": false, "::": false, "[::1]": false, "2130706433": false,
	} {
		if got := site.IsLoopback(host); got != want {
			t.Errorf("%q is this machine = %v, want %v", host, got, want)
		}
	}
}

func TestRequestsForAnotherHostAreTold(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	public := sitetest.New(t, "https://app.example.com", site.Options{TrustedProxies: proxies})
	local := sitetest.New(t, "http://localhost:8080", site.Options{TrustedProxies: proxies})
	for _, c := range []struct {
		site                  *site.Site
		host, peer, forwarded string
		want                  bool
	}{
		{public, "app.example.com", "192.0.2.1:1", "", true},
		{public, "APP.example.com.:8443", "192.0.2.1:1", "", true},
		{public, "192.0.2.7:8080", "192.0.2.1:1", "", true},
		{public, "[2001:db8::1]:8080", "192.0.2.1:1", "", true},
		{public, "evil.example", "192.0.2.1:1", "", false},
		{public, "", "192.0.2.1:1", "", false},
		{public, "localhost", "192.0.2.1:1", "", false},
		{public, "evil.example", "192.0.2.1:1", "app.example.com", false},
		{public, "internal", "10.0.0.1:1", "app.example.com", true},
		{public, "internal", "10.0.0.1:1", "evil.example", false},
		{public, "internal", "10.0.0.1:1", "", false},
		{public, "app.example.com", "10.0.0.1:1", "evil.example", true},
		{local, "LocalHost:8080", "127.0.0.1:1", "", true},
		{local, "app.localhost", "127.0.0.1:1", "", true},
		{local, "evil.example", "127.0.0.1:1", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = c.host, c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-Host", c.forwarded)
		}
		if got := c.site.KnownHost(r); got != c.want {
			t.Errorf("host %q of %s, forwarded %q, at %s = %v, want %v", c.host, c.peer, c.forwarded, c.site.Origin(), got, c.want)
		}
	}
}

func TestBrowsersAtAnotherAddressAreTold(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	public := sitetest.New(t, "https://app.example.com", site.Options{TrustedProxies: proxies})
	local := sitetest.New(t, "http://localhost:8080", site.Options{TrustedProxies: proxies})
	for _, c := range []struct {
		site            *site.Site
		peer            string
		header          http.Header
		byHTTP, byOther bool
	}{
		{public, "10.0.0.1:1", http.Header{}, false, false},
		{public, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"HTTP"}}, true, false},
		{public, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, false, false},
		{public, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"http"}, "Sec-Fetch-Mode": {"navigate"}}, false, false},
		{public, "192.0.2.1:1", http.Header{"X-Forwarded-Proto": {"http"}}, false, false},
		{local, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"http"}}, false, false},
		{public, "10.0.0.1:1", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://other.example/"}}, false, true},
		{public, "10.0.0.1:1", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://APP.example.com:8443/"}}, false, false},
		{public, "10.0.0.1:1", http.Header{"Sec-Fetch-Site": {"same-origin"}}, false, false},
		{public, "10.0.0.1:1", http.Header{"Sec-Fetch-Site": {"bogus"}, "Referer": {"https://other.example/"}}, false, false},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: c.header}
		byHTTP, byOther := c.site.ByHTTP(r), c.site.ByOtherName(r)
		if byHTTP != c.byHTTP || byOther != c.byOther {
			t.Errorf("%v from %s at %s: by http %v, by another name %v; want %v, %v",
				c.header, c.peer, c.site.Origin(), byHTTP, byOther, c.byHTTP, c.byOther)
		}
	}
}

func TestTrustedPeers(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s := sitetest.New(t, "https://app.example.com", site.Options{TrustedProxies: proxies})
	for peer, want := range map[string]bool{
		"10.0.0.1:1": true, "[::ffff:10.0.0.1]:1": true, "192.0.2.1:1": false, "@": false, "": false,
	} {
		if got := s.TrustsPeer(&http.Request{RemoteAddr: peer}); got != want {
			t.Errorf("%q is trusted = %v, want %v", peer, got, want)
		}
	}
}
