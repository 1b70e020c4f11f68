package handlers_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// hydraLogout returns a logout token as Ory Hydra makes it, without exp.
func hydraLogout(claims map[string]any) func(_, c odd.Claims) {
	return func(_, c odd.Claims) {
		delete(c, "exp")
		maps.Copy(c, claims)
	}
}

// BC3, BC8: a logout token without exp is refused, with a warning that names the remedy. If the
// operator allows it, it is accepted, once.
func TestLogoutTokenWithoutExp(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	g.Run(cfg)
	b := g.Browser()
	b.Login()
	raw := g.OP.LogoutToken(hydraLogout(odd.Claims{"sub": "alice"}))
	for range 20 {
		b.Backchannel(raw).Want(t, http.StatusBadRequest, "invalid_logout_token")
	}
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	warnings := 0
	for line := range strings.Lines(g.Log.String()) {
		if strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, "logout_token_exp: iat") {
			warnings++
		}
	}
	if warnings == 0 || warnings > 5 {
		t.Errorf("warnings with the remedy = %d for 20 tokens, want a few", warnings)
	}
	if strings.Contains(g.Log.String(), raw[:40]) || strings.Contains(g.Log.String(), raw[len(raw)-40:]) {
		t.Error("the log shows the token")
	}

	lenient := world.NewStage(t)
	cfg = lenient.Config(lenient.Port, "sqlite:"+lenient.DB, "")
	cfg.Providers[0].LogoutTokenExp = "iat"
	lenient.Run(cfg)
	b = lenient.Browser()
	b.Login()
	raw = lenient.OP.LogoutToken(hydraLogout(odd.Claims{"sub": "alice"}))
	b.Backchannel(raw).Want(t, http.StatusOK, "")
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	b.Login()
	b.Backchannel(raw).Want(t, http.StatusBadRequest, "invalid_logout_token") // a replay
	b.Get("/bff/user").Want(t, http.StatusOK, "")
}
