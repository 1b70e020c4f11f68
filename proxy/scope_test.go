package proxy_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// A renewal that says more than the login was granted opens no route that demands it. A login that is granted more does:
// it is a new ceiling, a step-up's as well. Where a login's answer names no scope, what was asked for is the ceiling.
func TestRenewalOpensNoRouteThatTheLoginDidNot(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	admin := cfg.Proxy.Routes[0]
	admin.Path, admin.Require = "/admin/", proxy.Require{Scopes: []string{"admin"}}
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, admin)
	g.Run(cfg)
	scope := map[string]string{}
	g.OP.OnToken(func(form url.Values, answer odd.Claims) {
		delete(answer, "scope")
		if s := scope[form.Get("grant_type")]; s != "" {
			answer["scope"] = s
		}
	})
	b := g.Browser()
	b.Login()
	b.Get("/admin/x").Want(t, http.StatusForbidden, "forbidden")
	scope["refresh_token"] = "openid profile admin"
	b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusOK, "")
	b.Get("/admin/x").Want(t, http.StatusForbidden, "forbidden")
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("calls of the API = %d, want none", n)
	}

	scope["authorization_code"] = "openid profile admin"
	b.StepUp("/bff/login?step_up=1").Want(t, http.StatusFound, "")
	b.Get("/admin/x").Want(t, http.StatusOK, "")
	scope["refresh_token"] = "openid profile"
	b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusOK, "")
	b.Get("/admin/x").Want(t, http.StatusForbidden, "forbidden")
}
