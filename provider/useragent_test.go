package provider_test

import (
	"testing"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// Every request to a provider names this product in User-Agent.
func TestProvidersAreToldWhoAsks(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3-rc.1+x": "cloakroom/v1.2.3-rc.1+x",
		"(devel)":       "cloakroom/devel",
		"a b/\r\nc":     "cloakroom/abc",
	} {
		op := odd.New(t)
		p := newProvider(t, op, func(s *setup) { s.Version = version })
		got := tokens(t, p, op)
		if _, err := p.Refresh(t.Context(), got.RefreshToken, nil); err != nil {
			t.Fatal(err)
		}
		checkRule(t, p, op, "")
		if _, err := p.Userinfo(t.Context(), got.AccessToken, "alice"); err != nil {
			t.Fatal(err)
		}
		if err := p.Revoke(t.Context(), secret.New("any"), ""); err != nil {
			t.Fatal(err)
		}
		asked := map[string]bool{}
		for _, r := range op.Requests("") {
			if r.Endpoint == odd.Authorize { // the browser's
				continue
			}
			asked[r.Endpoint] = true
			if ua := r.Header.Get("User-Agent"); ua != want {
				t.Errorf("User-Agent at %s = %q, want %q", r.Endpoint, ua, want)
			}
		}
		if len(asked) != 5 {
			t.Errorf("asked at %v, want 5 endpoints", asked)
		}
	}
}
