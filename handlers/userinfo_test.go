package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// TestClaimsOfUserinfoCount: claims that only userinfo has reach the app, the requirements of
// routes, and forward-auth. Claims that may come only from the ID token do not, and a refusal of
// userinfo does not prevent a login.
func TestClaimsOfUserinfoCount(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	for path, claims := range map[string]map[string]string{"/admins/": {"groups": "admins"}, "/strong/": {"acr": "high"}} {
		r := cfg.Proxy.Routes[0]
		r.Path, r.Require = path, proxy.Require{Claims: claims}
		cfg.Proxy.Routes = append(cfg.Proxy.Routes, r)
	}
	g.Run(cfg)
	g.OP.OnClaims(func(_ string, c odd.Claims) { delete(c, "email") })
	g.OP.OnUserinfo(func(c odd.Claims) { c["groups"], c["acr"], c["name"] = []string{"users", "admins"}, "high", "Somebody" })
	b := g.Browser()
	b.Login()
	user := b.Get("/bff/user?format=object")
	for _, want := range []string{`"groups":["users","admins"]`, `"email":"alice@example.com"`, `"name":"Alice Example"`} {
		if !strings.Contains(user.Text, want) {
			t.Errorf("the user lacks %s: %s", want, user.Text)
		}
	}
	if auth := b.Get("/bff/auth"); auth.Header.Get("X-Auth-Request-Email") != "alice@example.com" {
		t.Errorf("forward-auth says %v", auth.Header)
	}
	b.Get("/admins/x").Want(t, http.StatusOK, "")
	b.Get("/strong/x").Want(t, http.StatusForbidden, "forbidden")
	b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusOK, "") // its ID token has no groups
	b.Get("/admins/x").Want(t, http.StatusOK, "")

	undo := g.OP.Intercept(odd.Userinfo, odd.Answer(http.StatusUnauthorized, "text/plain", ""))
	other := g.Browser()
	other.Login()
	undo()
	other.Get("/admins/x").Want(t, http.StatusForbidden, "forbidden")
	log := g.Log.String()
	if !strings.Contains(log, `"level":"WARN","msg":"userinfo was not to be had`) ||
		!strings.Contains(log, "providers.userinfo: off") {
		t.Error("the log does not say what to do about userinfo")
	}
}

// TestRequiredUserinfoIsMissedAtTheStart: the fault is reported at the start, and not to the first
// user who logs in.
func TestRequiredUserinfoIsMissedAtTheStart(t *testing.T) {
	g := world.NewStage(t)
	g.OP.OnDiscovery(func(d odd.Claims) { delete(d, "userinfo_endpoint") })
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Providers[0].Userinfo = "required"
	g.Run(cfg)
	world.Eventually(t, "the log to say so", func() bool {
		return strings.Contains(g.Log.String(), "no login at this provider can succeed")
	})
	g.Browser().Navigate("/bff/login").Want(t, http.StatusServiceUnavailable, "")
}
