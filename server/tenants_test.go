package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// A tenancy is a service with a provider of several tenants, each with a user "alice" in a session
// "the-sid".
type tenancy struct {
	*world.World
}

func newTenancy(t *testing.T) *tenancy {
	t.Helper()
	g := world.NewStage(t)
	g.OP.OnDiscovery(func(d odd.Claims) {
		d["issuer"], d["authorization_response_iss_parameter_supported"] = g.OP.Issuer()+"/{tenantid}/v2.0", false
	})
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	p := &cfg.Providers[0]
	p.Issuer, p.MetadataURL, p.Tenants = g.OP.Issuer()+"/{tenantid}/v2.0", g.OP.URL(odd.Discovery), []string{"red", "blue"}
	g.Run(cfg)
	return &tenancy{g}
}

func (g *tenancy) issuer(tenant string) string { return g.OP.Issuer() + "/" + tenant + "/v2.0" }

// from makes the provider answer for a tenant from now on.
func (g *tenancy) from(tenant string) {
	g.OP.OnClaims(func(_ string, c odd.Claims) { c["iss"], c["tid"], c["sid"] = g.issuer(tenant), tenant, "the-sid" })
	g.OP.OnAuthorize(func(_, answer url.Values) { answer.Set("iss", g.issuer(tenant)) })
}

func (g *tenancy) login(tenant string) *world.Browser {
	g.from(tenant)
	b := g.Browser()
	b.Login()
	return b
}

func (g *tenancy) logoutToken(tenant string, claims odd.Claims) string {
	return g.OP.LogoutToken(func(_, c odd.Claims) {
		c["iss"] = g.issuer(tenant)
		maps.Copy(c, claims)
	})
}

// administer sends a request to the admin API.
func (g *tenancy) administer(method, path string) *world.Reply {
	g.T.Helper()
	return g.Browser().Do(method, g.Admin+path, nil, "Authorization", "Bearer "+world.AdminToken)
}

func wantLoggedIn(b *world.Browser, is bool) {
	b.T.Helper()
	want := http.StatusUnauthorized
	if is {
		want = http.StatusOK
	}
	b.Get("/bff/user").Want(b.T, want, "")
}

// ID1, ID14, BC9, FC1: two tenants with the same sub and sid are two users, however a session is
// looked up.
func TestUsersOfTwoTenantsNeverMeet(t *testing.T) {
	g := newTenancy(t)
	blue, op := g.login("blue"), g.Browser()

	for name, end := range map[string]func(){
		"logout token by sub": func() {
			op.Backchannel(g.logoutToken("red", odd.Claims{"sub": "alice"})).Want(t, http.StatusOK, "")
		},
		"logout token by sid": func() {
			op.Backchannel(g.logoutToken("red", odd.Claims{"sid": "the-sid"})).Want(t, http.StatusOK, "")
		},
		"front channel": func() {
			page := op.Navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.issuer("red")) + "&sid=the-sid")
			if csp := page.Header.Get("Content-Security-Policy"); csp != "default-src 'none'; frame-ancestors "+g.OP.Issuer() {
				t.Errorf("front-channel page may be framed by %q", csp)
			}
		},
		"end others": func() {
			other := g.login("red")
			other.Do(http.MethodPost, "/bff/sessions/end-others", nil).Want(t, http.StatusNoContent, "")
		},
		"administrator": func() {
			ofRed := "/admin/sessions?subject=alice&provider=main&issuer=" + url.QueryEscape(g.issuer("red"))
			g.administer(http.MethodDelete, ofRed).Want(t, http.StatusOK, "")
		},
	} {
		red := g.login("red")
		wantLoggedIn(red, true)
		end()
		wantLoggedIn(red, false)
		wantLoggedIn(blue, true)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	op.Backchannel(g.logoutToken("green", odd.Claims{"sub": "alice"})).Want(t, http.StatusBadRequest, "invalid_logout_token")
	op.Navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.issuer("{tenantid}")) + "&sid=the-sid")
	wantLoggedIn(blue, true)
}

// RFC 7519 §4.1.7: a logout token of one tenant does not use up the jti of another's.
func TestLogoutTokensOfTwoTenantsMayShareAJTI(t *testing.T) {
	g := newTenancy(t)
	red, blue := g.login("red"), g.login("blue")
	op := g.Browser()
	for tenant, b := range map[string]*world.Browser{"red": red, "blue": blue} {
		raw := g.logoutToken(tenant, odd.Claims{"sub": "alice", "jti": "one"})
		op.Backchannel(raw).Want(t, http.StatusOK, "")
		wantLoggedIn(b, false)
		op.Backchannel(raw).Want(t, http.StatusBadRequest, "invalid_logout_token")
	}
}

// ID14: a list shows a user only their own sessions, and shows an administrator the issuer of each.
// Ending the sessions of "alice" without an issuer is refused.
func TestListsTellUsersOfTwoTenantsApart(t *testing.T) {
	g := newTenancy(t)
	red, blue := g.login("red"), g.login("blue")
	var own []map[string]any
	if err := json.Unmarshal([]byte(red.Get("/bff/sessions").Text), &own); err != nil || len(own) != 1 {
		t.Errorf("red's own sessions = %v, %v; want 1", own, err)
	}
	for query, want := range map[string]int{
		"subject=alice":               2,
		"subject=alice&provider=main": 2,
		"subject=alice&issuer=" + url.QueryEscape(g.issuer("red")):                1,
		"subject=alice&issuer=" + url.QueryEscape(g.issuer("green")):              0,
		"provider=main&issuer=" + url.QueryEscape(g.issuer("blue")):               1,
		"subject=alice&provider=other&issuer=" + url.QueryEscape(g.issuer("red")): 0,
	} {
		var list struct {
			Sessions []struct{ Issuer, Subject string }
		}
		r := g.administer(http.MethodGet, "/admin/sessions?"+query)
		if err := json.Unmarshal([]byte(r.Text), &list); err != nil || len(list.Sessions) != want {
			t.Errorf("%s: %s, %v; want %d sessions", query, r.Text, err, want)
		}
		for _, s := range list.Sessions {
			if s.Issuer != g.issuer("red") && s.Issuer != g.issuer("blue") {
				t.Errorf("%s: issuer = %q", query, s.Issuer)
			}
		}
	}
	g.administer(http.MethodDelete, "/admin/sessions?subject=alice&provider=main").Want(t, http.StatusBadRequest, "")
	wantLoggedIn(red, true)
	wantLoggedIn(blue, true)
}

// RFC 9207 §2.4: the authorization response and the ID token must be of the same tenant, and it
// must be listed.
func TestAnswerOfAnotherTenantStartsNoSession(t *testing.T) {
	for name, tenants := range map[string][2]string{
		"mixed":             {"red", "blue"},
		"not listed":        {"green", "green"},
		"answer not listed": {"green", "red"},
		"template":          {"{tenantid}", "red"},
	} {
		g := newTenancy(t)
		g.from(tenants[1])
		g.OP.OnAuthorize(func(_, answer url.Values) { answer.Set("iss", g.issuer(tenants[0])) })
		b := g.Browser()
		begin := b.Navigate("/bff/login")
		back := g.OP.Login(begin.Header.Get("Location"))
		if r := b.Navigate(back.RequestURI()); r.StatusCode < 400 || b.Cookie() != "" {
			t.Errorf("%s: callback = %d to %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// ID14: a silent login of another tenant's alice does not take over this one's session.
func TestSilentLoginOfAnotherTenantIsAnotherUser(t *testing.T) {
	g := newTenancy(t)
	b := g.login("red")
	before := b.Cookie()
	g.from("blue")
	if b.SilentLogin() || b.Cookie() != before {
		t.Error("the silent login went on as another tenant's user")
	}
	wantLoggedIn(b, true)
}

// OIDC Core §12.2: an ID token of another tenant in a renewal ends the session.
func TestRenewalByAnotherTenantEndsTheSession(t *testing.T) {
	g := newTenancy(t)
	b := g.login("red")
	g.from("blue")
	b.Do(http.MethodPost, "/bff/session/refresh", nil)
	wantLoggedIn(b, false)
	world.Eventually(t, "what was issued to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
}

// OIDC Core §5.3.2, MD9: signed userinfo about another tenant's alice is about another user.
func TestUserinfoOfAnotherTenantStartsNoSession(t *testing.T) {
	for tenant, want := range map[string]bool{"red": true, "blue": false} {
		g := newTenancy(t)
		g.from("red")
		g.OP.Intercept(odd.Userinfo, odd.Answer(http.StatusOK, "application/jwt", g.OP.Sign(g.OP.Header(), odd.Claims{
			"iss": g.issuer(tenant), "aud": g.OP.Client.ID, "sub": "alice", "name": "Alice of " + tenant,
		})))
		b := g.Browser()
		back := g.OP.Login(b.Navigate("/bff/login").Header.Get("Location"))
		if r := b.Navigate(back.RequestURI()); (r.StatusCode == http.StatusFound) != want {
			t.Errorf("userinfo of %s: callback = %d", tenant, r.StatusCode)
		}
	}
}
