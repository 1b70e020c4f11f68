package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A renewal that says more than the login was granted opens no route that demands it. A login that is granted more does:
// it is a new ceiling, a step-up's as well. Where a login's answer names no scope, what was asked for is the ceiling.
func TestRenewalOpensNoRouteThatTheLoginDidNot(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	admin := cfg.Proxy.Routes[0]
	admin.Path, admin.Require = "/admin/", proxy.Require{Scopes: []string{"admin"}}
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, admin)
	g.run(cfg)
	scope := map[string]string{}
	g.op.OnToken(func(form url.Values, answer odd.Claims) {
		delete(answer, "scope")
		if s := scope[form.Get("grant_type")]; s != "" {
			answer["scope"] = s
		}
	})
	b := g.browser()
	b.login()
	b.get("/admin/x").want(t, http.StatusForbidden, "forbidden")
	scope["refresh_token"] = "openid profile admin"
	b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusOK, "")
	b.get("/admin/x").want(t, http.StatusForbidden, "forbidden")
	if n := len(g.api.requests()); n != 0 {
		t.Errorf("calls of the API = %d, want none", n)
	}

	scope["authorization_code"] = "openid profile admin"
	b.stepUp("/bff/login?step_up=1").want(t, http.StatusFound, "")
	b.get("/admin/x").want(t, http.StatusOK, "")
	scope["refresh_token"] = "openid profile"
	b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusOK, "")
	b.get("/admin/x").want(t, http.StatusForbidden, "forbidden")
}
