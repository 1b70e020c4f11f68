package providers

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/check"
	"github.com/cloakroom/cloakroom/config"
)

// With a certified provider, check distinguishes right from wrong registrations without a login.
func TestCheckSeesWhatTheProviderKnowsOfThisClient(t *testing.T) {
	op := StartOIDCProvider(t, OIDCProviderOptions{Clients: []map[string]any{{
		"client_id": "app", "client_secret": testSecret, "redirect_uris": []string{"http://localhost:8080/bff/callback/main"},
		"grant_types": []string{"authorization_code", "refresh_token"},
	}}})
	for _, c := range []struct {
		name, id, secret, public string
		status                   check.Status
		want                     []string
	}{
		{
			"right", "app", testSecret, "http://localhost:8080", check.OK,
			[]string{"accepts this client", "accepts the redirect URI"},
		},
		{
			"wrong secret", "app", "not-" + testSecret, "http://localhost:8080", check.Wrong,
			[]string{"refuses this client: invalid_client"},
		},
		{
			"unknown client", "nobody", testSecret, "http://localhost:8080", check.Wrong,
			[]string{"refuses this client", "refuses an authorization request"},
		},
		{
			"redirect URI", "app", testSecret, "http://localhost:8081", check.Wrong,
			[]string{"http://localhost:8081/bff/callback/main"},
		},
	} {
		cfg, err := config.Parse("test.yaml", fmt.Appendf(nil, `
server: {public_url: %q, listen: "127.0.0.1:0", admin_listen: ""}
session: {store: "memory:"}
providers: [{id: main, issuer: %q, client_id: %q, client_secret: %q}]
`, c.public, op.Issuer, c.id, c.secret), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		worst := check.OK
		for _, f := range check.Run(t.Context(), cfg, check.Options{}).Findings {
			if f.Area != "provider" {
				continue
			}
			fmt.Fprintf(&said, "%s %s → %s\n", f.Status, f.Detail, f.Remedy)
			if f.Status == check.Wrong {
				worst = f.Status
			}
		}
		if worst != c.status {
			t.Errorf("%s: status %s, want %s:\n%s", c.name, worst, c.status, said.String())
		}
		for _, want := range c.want {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s: findings lack %q:\n%s", c.name, want, said.String())
			}
		}
	}
}
