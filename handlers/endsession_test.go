package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// A provider may announce neither endpoint, as Cognito and Auth0 without discovery do. A logout
// then goes to the address of the operator, or nowhere, and sends no ID token that the address does
// not ask for. The tokens are revoked at the configured endpoint.
func TestLogoutGoesWhereTheOperatorSays(t *testing.T) {
	const template = "https://id.example/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}"
	for setting, want := range map[string]string{
		template: "https://id.example/logout?client_id=cloakroom&logout_uri=http%3A%2F%2Flocalhost%3A",
		"off":    "",
	} {
		g := world.NewStage(t)
		g.OP.OnDiscovery(func(d odd.Claims) {
			delete(d, "revocation_endpoint")
			if setting != "off" {
				delete(d, "end_session_endpoint")
			}
		})
		cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
		cfg.Providers[0].EndSession, cfg.Providers[0].RevocationEndpoint = setting, g.OP.URL(odd.Revocation)
		g.Run(cfg)
		b := g.Browser()
		b.Login()
		var user map[string]any
		if err := json.Unmarshal([]byte(b.Get("/bff/user?format=object").Text), &user); err != nil {
			t.Fatal(err)
		}
		link, _ := user["bff:logout_url"].(string)
		r := b.Navigate(link)
		to := r.Header.Get("Location")
		if want == "" && (r.StatusCode != http.StatusOK || to != "") ||
			!strings.HasPrefix(to, want) || strings.Contains(to, "id_token_hint") {
			t.Errorf("end_session %q: logout = %d to %q, want %q…", setting, r.StatusCode, to, want)
		}
		world.Eventually(t, "the refresh token to be revoked", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
	}
}
