package handlers_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// BC1, BC9–BC11, RV1: a logout by subject ends the sessions in every browser. It needs no cookie
// and no header.
func TestBackchannelLogoutBySubject(t *testing.T) {
	g := world.New(t, "")
	one, two, op := g.Browser(), g.Browser(), g.Browser()
	one.Login()
	two.Login()
	unknown := op.Backchannel(g.OP.LogoutToken(world.BySub("somebody else")))
	unknown.Want(t, http.StatusOK, "")
	one.Get("/bff/user").Want(t, http.StatusOK, "")
	r := op.Backchannel(g.OP.LogoutToken(world.BySub("alice")))
	if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("logout = %d %s, Cache-Control %q", r.StatusCode, r.Text, r.Header.Get("Cache-Control"))
	}
	one.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	two.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	world.Eventually(t, "the refresh tokens to be dead", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
}

// BC9: a logout token with a sid alone, and one whose sub contradicts its sid.
func TestBackchannelLogoutBySID(t *testing.T) {
	g := world.New(t, "")
	login := func(sid string) *world.Browser {
		g.OP.OnClaims(func(_ string, c odd.Claims) { c["sid"] = sid })
		b := g.Browser()
		b.Login()
		return b
	}
	one, two := login("sid-1"), login("sid-2")
	op := g.Browser()
	op.Backchannel(g.OP.LogoutToken(func(_, c odd.Claims) { c["sid"], c["sub"] = "sid-1", "mallory" })).Want(t, http.StatusOK, "")
	one.Get("/bff/user").Want(t, http.StatusOK, "")
	op.Backchannel(g.OP.LogoutToken(func(_, c odd.Claims) { c["sid"] = "sid-1" })).Want(t, http.StatusOK, "")
	one.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	two.Get("/bff/user").Want(t, http.StatusOK, "")
	op.Navigate("/bff/frontchannel/main?sid=sid-2").Want(t, http.StatusOK, "") // FC1: both or nothing
	op.Navigate("/bff/frontchannel/main?iss=x&sid=sid-2").Want(t, http.StatusOK, "")
	two.Get("/bff/user").Want(t, http.StatusOK, "")
	framed := op.Navigate("/bff/frontchannel/main?iss=" + url.QueryEscape(g.OP.Issuer()) + "&sid=sid-2")
	csp := framed.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-ancestors "+g.OP.Issuer()) || framed.Header.Get("X-Frame-Options") != "" { // FC3
		t.Errorf("front-channel page: %q, %q", csp, framed.Header.Get("X-Frame-Options"))
	}
	two.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
}

// BC8: a logout token is accepted once, and never ends a session that began after it.
func TestReplayedLogoutTokenEndsNothing(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	token := g.OP.LogoutToken(world.BySub("alice"))
	old := g.OP.LogoutToken(func(_, c odd.Claims) { c["sub"], c["iat"] = "alice", time.Now().Add(-2*time.Minute).Unix() })
	b.Backchannel(token).Want(t, http.StatusOK, "")
	b.Login()
	b.Backchannel(token).Want(t, http.StatusBadRequest, "invalid_logout_token")
	b.Backchannel(old).Want(t, http.StatusOK, "")
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}

// BC1, BC11: whatever is wrong with the request, the answer is 400.
func TestBadLogoutRequestsAre400(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for name, r := range map[string]*world.Reply{
		"garbage":    b.Backchannel("garbage"),
		"none":       b.Backchannel(""),
		"an old one": b.Backchannel(g.OP.LogoutToken(func(_, c odd.Claims) { c["sub"], c["exp"] = "alice", 1 })),
		"a nonce":    b.Backchannel(g.OP.LogoutToken(func(_, c odd.Claims) { c["sub"], c["nonce"] = "alice", nil })),
		"JSON":       b.Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(`{}`), "Content-Type", "application/json"),
		"large": b.Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader("logout_token="+strings.Repeat("x", 100_000)),
			"Content-Type", "application/x-www-form-urlencoded"),
	} {
		if r.StatusCode != http.StatusBadRequest || r.Header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(r.Text, "invalid_logout_token") {
			t.Errorf("%s = %d %s", name, r.StatusCode, r.Text)
		}
	}
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}

// A stranger who floods the back channel uses up only their own share: the provider's logout is
// still accepted.
func TestFloodOfTheBackchannelDoesNotStopLogouts(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Site.TrustedProxies = append(cfg.Site.TrustedProxies, netip.MustParsePrefix("127.0.0.1/32"))
	g.Run(cfg)
	b, op := g.Browser(), g.Browser()
	b.Login()
	post := func(from, token string) *world.Reply {
		return op.Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", from)
	}
	for i := range 1500 {
		post(fmt.Sprintf("2001:db8::%x", i), "x.y.z")
	}
	post("192.0.2.1", g.OP.LogoutToken(world.BySub("alice"))).Want(t, http.StatusOK, "")
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
}
