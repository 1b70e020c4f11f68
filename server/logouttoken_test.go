package server_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// hydraLogout is a logout token as Ory Hydra makes it: no exp.
func hydraLogout(claims map[string]any) func(_, c odd.Claims) {
	return func(_, c odd.Claims) {
		delete(c, "exp")
		maps.Copy(c, claims)
	}
}

// BC3, BC8: a logout token without exp is refused with a warning that names the remedy, and taken, once, where the
// operator says so.
func TestLogoutTokenWithoutExp(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	g.run(cfg)
	b := g.browser()
	b.login()
	raw := g.op.LogoutToken(hydraLogout(odd.Claims{"sub": "alice"}))
	for range 20 {
		b.backchannel(raw).want(t, http.StatusBadRequest, "invalid_logout_token")
	}
	b.get("/bff/user").want(t, http.StatusOK, "")
	warnings := 0
	for line := range strings.Lines(g.log.String()) {
		if strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, "logout_token_exp: iat") {
			warnings++
		}
	}
	if warnings == 0 || warnings > 5 {
		t.Errorf("warnings with the remedy = %d for 20 tokens, want a few", warnings)
	}
	if strings.Contains(g.log.String(), raw[:40]) || strings.Contains(g.log.String(), raw[len(raw)-40:]) {
		t.Error("the log shows the token")
	}

	lenient := newStage(t)
	cfg = lenient.config(lenient.port, "sqlite:"+lenient.db, "")
	cfg.Providers[0].LogoutTokenExp = "iat"
	lenient.run(cfg)
	b = lenient.browser()
	b.login()
	raw = lenient.op.LogoutToken(hydraLogout(odd.Claims{"sub": "alice"}))
	b.backchannel(raw).want(t, http.StatusOK, "")
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
	b.login()
	b.backchannel(raw).want(t, http.StatusBadRequest, "invalid_logout_token") // a replay
	b.get("/bff/user").want(t, http.StatusOK, "")
}
