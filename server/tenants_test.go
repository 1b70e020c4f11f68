package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A tenancy is a rig at a provider whose tenants all have a user "alice" in a session "the-sid".
type tenancy struct {
	*rig
}

func newTenancy(t *testing.T) *tenancy {
	t.Helper()
	g := newStage(t)
	g.op.OnDiscovery(func(d odd.Claims) {
		d["issuer"], d["authorization_response_iss_parameter_supported"] = g.op.Issuer()+"/{tenantid}/v2.0", false
	})
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	p := &cfg.Providers[0]
	p.Issuer, p.MetadataURL, p.Tenants = g.op.Issuer()+"/{tenantid}/v2.0", g.op.URL(odd.Discovery), []string{"red", "blue"}
	g.run(cfg)
	return &tenancy{g}
}

func (g *tenancy) issuer(tenant string) string { return g.op.Issuer() + "/" + tenant + "/v2.0" }

// from has the provider answer for a tenant from now on.
func (g *tenancy) from(tenant string) {
	g.op.OnClaims(func(_ string, c odd.Claims) { c["iss"], c["tid"], c["sid"] = g.issuer(tenant), tenant, "the-sid" })
	g.op.OnAuthorize(func(_, answer url.Values) { answer.Set("iss", g.issuer(tenant)) })
}

func (g *tenancy) login(tenant string) *browser {
	g.from(tenant)
	b := g.browser()
	b.login()
	return b
}

func (g *tenancy) logoutToken(tenant string, claims odd.Claims) string {
	return g.op.LogoutToken(func(_, c odd.Claims) {
		c["iss"] = g.issuer(tenant)
		maps.Copy(c, claims)
	})
}

// administer asks the admin API.
func (g *tenancy) administer(method, path string) *reply {
	g.t.Helper()
	return g.browser().do(method, g.admin+path, nil, "Authorization", "Bearer "+adminToken)
}

func (b *browser) wantLoggedIn(is bool) {
	b.t.Helper()
	want := http.StatusUnauthorized
	if is {
		want = http.StatusOK
	}
	b.get("/bff/user").want(b.t, want, "")
}

// ID1, ID14, BC9, FC1: two tenants with one sub and one sid are two users, whichever way a session is looked for.
func TestUsersOfTwoTenantsNeverMeet(t *testing.T) {
	g := newTenancy(t)
	blue, op := g.login("blue"), g.browser()

	for name, end := range map[string]func(){
		"logout token by sub": func() {
			op.backchannel(g.logoutToken("red", odd.Claims{"sub": "alice"})).want(t, http.StatusOK, "")
		},
		"logout token by sid": func() {
			op.backchannel(g.logoutToken("red", odd.Claims{"sid": "the-sid"})).want(t, http.StatusOK, "")
		},
		"front channel": func() {
			page := op.navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.issuer("red")) + "&sid=the-sid")
			if csp := page.Header.Get("Content-Security-Policy"); csp != "default-src 'none'; frame-ancestors "+g.op.Issuer() {
				t.Errorf("front-channel page may be framed by %q", csp)
			}
		},
		"end others": func() {
			other := g.login("red")
			other.do(http.MethodPost, "/bff/sessions/end-others", nil).want(t, http.StatusNoContent, "")
		},
		"administrator": func() {
			g.administer(http.MethodDelete, "/admin/sessions?subject=alice&provider=main&issuer="+url.QueryEscape(g.issuer("red"))).want(t, http.StatusOK, "")
		},
	} {
		red := g.login("red")
		red.wantLoggedIn(true)
		end()
		red.wantLoggedIn(false)
		blue.wantLoggedIn(true)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	op.backchannel(g.logoutToken("green", odd.Claims{"sub": "alice"})).want(t, http.StatusBadRequest, "invalid_logout_token")
	op.navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.issuer("{tenantid}")) + "&sid=the-sid")
	blue.wantLoggedIn(true)
}

// RFC 7519 §4.1.7: one tenant can't use up the jti of another's logout token.
func TestLogoutTokensOfTwoTenantsMayShareAJTI(t *testing.T) {
	g := newTenancy(t)
	red, blue := g.login("red"), g.login("blue")
	op := g.browser()
	for tenant, b := range map[string]*browser{"red": red, "blue": blue} {
		raw := g.logoutToken(tenant, odd.Claims{"sub": "alice", "jti": "one"})
		op.backchannel(raw).want(t, http.StatusOK, "")
		b.wantLoggedIn(false)
		op.backchannel(raw).want(t, http.StatusBadRequest, "invalid_logout_token")
	}
}

// ID14: lists show a user's own sessions, and an administrator whose they are; ending "alice" without saying which is refused.
func TestListsTellUsersOfTwoTenantsApart(t *testing.T) {
	g := newTenancy(t)
	red, blue := g.login("red"), g.login("blue")
	var own []map[string]any
	if err := json.Unmarshal([]byte(red.get("/bff/sessions").body), &own); err != nil || len(own) != 1 {
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
		if err := json.Unmarshal([]byte(r.body), &list); err != nil || len(list.Sessions) != want {
			t.Errorf("%s: %s, %v; want %d sessions", query, r.body, err, want)
		}
		for _, s := range list.Sessions {
			if s.Issuer != g.issuer("red") && s.Issuer != g.issuer("blue") {
				t.Errorf("%s: issuer = %q", query, s.Issuer)
			}
		}
	}
	g.administer(http.MethodDelete, "/admin/sessions?subject=alice&provider=main").want(t, http.StatusBadRequest, "")
	red.wantLoggedIn(true)
	blue.wantLoggedIn(true)
}

// RFC 9207 §2.4: the authorization response and the ID token are of one tenant, a listed one.
func TestAnswerOfAnotherTenantStartsNoSession(t *testing.T) {
	for name, tenants := range map[string][2]string{"mixed": {"red", "blue"}, "not listed": {"green", "green"}, "answer not listed": {"green", "red"}, "template": {"{tenantid}", "red"}} {
		g := newTenancy(t)
		g.from(tenants[1])
		g.op.OnAuthorize(func(_, answer url.Values) { answer.Set("iss", g.issuer(tenants[0])) })
		b := g.browser()
		begin := b.navigate("/bff/login")
		back := g.op.Login(begin.Header.Get("Location"))
		if r := b.navigate(back.RequestURI()); r.StatusCode < 400 || b.cookie() != "" {
			t.Errorf("%s: callback = %d to %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// ID14: a silent login by another tenant's alice does not go on with this one's session.
func TestSilentLoginOfAnotherTenantIsAnotherUser(t *testing.T) {
	g := newTenancy(t)
	b := g.login("red")
	before := b.cookie()
	g.from("blue")
	if b.silentLogin() || b.cookie() != before {
		t.Error("the silent login went on as another tenant's user")
	}
	b.wantLoggedIn(true)
}

// OIDC Core §12.2: an ID token of another tenant at a renewal ends the session.
func TestRenewalByAnotherTenantEndsTheSession(t *testing.T) {
	g := newTenancy(t)
	b := g.login("red")
	g.from("blue")
	b.do(http.MethodPost, "/bff/session/refresh", nil)
	b.wantLoggedIn(false)
	eventually(t, "what was issued to be revoked", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
}

// OIDC Core §5.3.2, MD9: signed userinfo of another tenant's alice is about somebody else.
func TestUserinfoOfAnotherTenantStartsNoSession(t *testing.T) {
	for tenant, want := range map[string]bool{"red": true, "blue": false} {
		g := newTenancy(t)
		g.from("red")
		g.op.Intercept(odd.Userinfo, odd.Answer(http.StatusOK, "application/jwt", g.op.Sign(g.op.Header(), odd.Claims{
			"iss": g.issuer(tenant), "aud": g.op.Client.ID, "sub": "alice", "name": "Alice of " + tenant,
		})))
		b := g.browser()
		back := g.op.Login(b.navigate("/bff/login").Header.Get("Location"))
		if r := b.navigate(back.RequestURI()); (r.StatusCode == http.StatusFound) != want {
			t.Errorf("userinfo of %s: callback = %d", tenant, r.StatusCode)
		}
	}
}
