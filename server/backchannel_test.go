package server_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func (b *browser) backchannel(token string) *reply {
	b.t.Helper()
	return b.do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}, "ignored": {"x"}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "X-CSRF", "")
}

func bySub(sub string) func(_, claims odd.Claims) {
	return func(_, claims odd.Claims) { claims["sub"] = sub }
}

// BC1, BC9–BC11, RV1: by subject, in any browser, without cookie or header.
func TestBackchannelLogoutBySubject(t *testing.T) {
	g := newRig(t, "")
	one, two, op := g.browser(), g.browser(), g.browser()
	one.login()
	two.login()
	unknown := op.backchannel(g.op.LogoutToken(bySub("somebody else")))
	unknown.want(t, http.StatusOK, "")
	one.get("/bff/user").want(t, http.StatusOK, "")
	r := op.backchannel(g.op.LogoutToken(bySub("alice")))
	if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("logout = %d %s, Cache-Control %q", r.StatusCode, r.body, r.Header.Get("Cache-Control"))
	}
	one.get("/bff/user").want(t, http.StatusUnauthorized, "")
	two.get("/bff/user").want(t, http.StatusUnauthorized, "")
	eventually(t, "the refresh tokens to be dead", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
}

// BC9: sid alone, and sid with a sub that contradicts.
func TestBackchannelLogoutBySID(t *testing.T) {
	g := newRig(t, "")
	login := func(sid string) *browser {
		g.op.OnClaims(func(_ string, c odd.Claims) { c["sid"] = sid })
		b := g.browser()
		b.login()
		return b
	}
	one, two := login("sid-1"), login("sid-2")
	op := g.browser()
	op.backchannel(g.op.LogoutToken(func(_, c odd.Claims) { c["sid"], c["sub"] = "sid-1", "mallory" })).want(t, http.StatusOK, "")
	one.get("/bff/user").want(t, http.StatusOK, "")
	op.backchannel(g.op.LogoutToken(func(_, c odd.Claims) { c["sid"] = "sid-1" })).want(t, http.StatusOK, "")
	one.get("/bff/user").want(t, http.StatusUnauthorized, "")
	two.get("/bff/user").want(t, http.StatusOK, "")
	op.navigate("/bff/frontchannel/main?sid=sid-2").want(t, http.StatusOK, "") // FC1: both or nothing
	op.navigate("/bff/frontchannel/main?iss=x&sid=sid-2").want(t, http.StatusOK, "")
	two.get("/bff/user").want(t, http.StatusOK, "")
	framed := op.navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.op.Issuer()) + "&sid=sid-2")
	if csp := framed.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors "+g.op.Issuer()) || framed.Header.Get("X-Frame-Options") != "" { // FC3
		t.Errorf("front-channel page: %q, %q", csp, framed.Header.Get("X-Frame-Options"))
	}
	two.get("/bff/user").want(t, http.StatusUnauthorized, "")
}

// BC8: a token is good once, and never for a session that began after it.
func TestReplayedLogoutTokenEndsNothing(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	token := g.op.LogoutToken(bySub("alice"))
	old := g.op.LogoutToken(func(_, c odd.Claims) { c["sub"], c["iat"] = "alice", time.Now().Add(-2*time.Minute).Unix() })
	b.backchannel(token).want(t, http.StatusOK, "")
	b.login()
	b.backchannel(token).want(t, http.StatusBadRequest, "invalid_logout_token")
	b.backchannel(old).want(t, http.StatusOK, "")
	b.get("/bff/user").want(t, http.StatusOK, "")
}

// BC1, BC11: whatever is wrong with the request, exactly 400.
func TestBadLogoutRequestsAre400(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	for name, r := range map[string]*reply{
		"garbage":    b.backchannel("garbage"),
		"none":       b.backchannel(""),
		"an old one": b.backchannel(g.op.LogoutToken(func(_, c odd.Claims) { c["sub"], c["exp"] = "alice", 1 })),
		"a nonce":    b.backchannel(g.op.LogoutToken(func(_, c odd.Claims) { c["sub"], c["nonce"] = "alice", nil })),
		"JSON":       b.do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(`{}`), "Content-Type", "application/json"),
		"large": b.do(http.MethodPost, "/bff/backchannel/main", strings.NewReader("logout_token="+strings.Repeat("x", 100_000)),
			"Content-Type", "application/x-www-form-urlencoded"),
	} {
		if r.StatusCode != http.StatusBadRequest || r.Header.Get("Cache-Control") != "no-store" || !strings.Contains(r.body, "invalid_logout_token") {
			t.Errorf("%s = %d %s", name, r.StatusCode, r.body)
		}
	}
	b.get("/bff/user").want(t, http.StatusOK, "")
}

// A stranger who floods the back channel uses up nobody's share but their own: the provider's logout is heard.
func TestFloodOfTheBackchannelDoesNotStopLogouts(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	cfg.Site.TrustedProxies = append(cfg.Site.TrustedProxies, netip.MustParsePrefix("127.0.0.1/32"))
	g.run(cfg)
	b, op := g.browser(), g.browser()
	b.login()
	post := func(from, token string) *reply {
		return op.do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", from)
	}
	for i := range 1500 {
		post(fmt.Sprintf("2001:db8::%x", i), "x.y.z")
	}
	post("192.0.2.1", g.op.LogoutToken(bySub("alice"))).want(t, http.StatusOK, "")
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
}
