package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestClaimsOfUserinfoCount: what userinfo alone says reaches the app, what routes require, and forward-auth. What an
// ID token alone may say does not, and no refusal of userinfo keeps anybody out.
func TestClaimsOfUserinfoCount(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	for path, claims := range map[string]map[string]string{"/admins/": {"groups": "admins"}, "/strong/": {"acr": "high"}} {
		r := cfg.Proxy.Routes[0]
		r.Path, r.Require = path, proxy.Require{Claims: claims}
		cfg.Proxy.Routes = append(cfg.Proxy.Routes, r)
	}
	g.run(cfg)
	g.op.OnClaims(func(_ string, c odd.Claims) { delete(c, "email") })
	g.op.OnUserinfo(func(c odd.Claims) { c["groups"], c["acr"], c["name"] = []string{"users", "admins"}, "high", "Somebody" })
	b := g.browser()
	b.login()
	user := b.get("/bff/user?format=object")
	for _, want := range []string{`"groups":["users","admins"]`, `"email":"alice@example.com"`, `"name":"Alice Example"`} {
		if !strings.Contains(user.body, want) {
			t.Errorf("the user lacks %s: %s", want, user.body)
		}
	}
	if auth := b.get("/bff/auth"); auth.Header.Get("X-Auth-Request-Email") != "alice@example.com" {
		t.Errorf("forward-auth says %v", auth.Header)
	}
	b.get("/admins/x").want(t, http.StatusOK, "")
	b.get("/strong/x").want(t, http.StatusForbidden, "forbidden")
	b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusOK, "") // its ID token has no groups
	b.get("/admins/x").want(t, http.StatusOK, "")

	undo := g.op.Intercept(odd.Userinfo, odd.Answer(http.StatusUnauthorized, "text/plain", ""))
	other := g.browser()
	other.login()
	undo()
	other.get("/admins/x").want(t, http.StatusForbidden, "forbidden")
	if log := g.log.String(); !strings.Contains(log, `"level":"WARN","msg":"userinfo was not to be had`) || !strings.Contains(log, "providers.userinfo: off") {
		t.Error("the log does not say what to do about userinfo")
	}
}

// TestRequiredUserinfoIsMissedAtTheStart: not by the first person who wants to log in.
func TestRequiredUserinfoIsMissedAtTheStart(t *testing.T) {
	g := newStage(t)
	g.op.OnDiscovery(func(d odd.Claims) { delete(d, "userinfo_endpoint") })
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	cfg.Providers[0].Userinfo = "required"
	g.run(cfg)
	eventually(t, "the log to say so", func() bool { return strings.Contains(g.log.String(), "no login at this provider can succeed") })
	g.browser().navigate("/bff/login").want(t, http.StatusServiceUnavailable, "")
}
