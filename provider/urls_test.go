package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func authorizationQuery(t *testing.T, p *provider.Provider, params url.Values) url.Values {
	t.Helper()
	raw, err := p.AuthorizationURL(t.Context(), provider.AuthorizationRequest{
		State: "the state", Nonce: nonce, Verifier: secret.New(verifier), Params: params,
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range u.Query() {
		if len(values) != 1 {
			t.Errorf("%s is there %d times", name, len(values))
		}
	}
	return u.Query()
}

// LS1, LS3, LS6: the code grant with S256, whatever the metadata says; the endpoint's own query stays.
func TestAuthorizationURLIsTheCodeGrantWithPKCE(t *testing.T) {
	sum := sha256.Sum256([]byte(verifier))
	for _, methods := range []any{[]string{"S256"}, []string{"plain"}, nil} {
		op := odd.New(t)
		op.OnDiscovery(func(d odd.Claims) {
			d["code_challenge_methods_supported"] = methods
			d["authorization_endpoint"] = op.URL(odd.Authorize) + "?tenant=a%20b"
		})
		q := authorizationQuery(t, newProvider(t, op), nil)
		for name, want := range map[string]string{
			"response_type": "code", "client_id": "cloakroom", "redirect_uri": redirectURI, "state": "the state", "nonce": nonce,
			"code_challenge_method": "S256", "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "tenant": "a b",
			"scope": "openid offline_access", "prompt": "consent", "response_mode": "",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	}
}

// LS7: offline_access where the provider lists it and refresh is wanted; consent only with it.
func TestOfflineAccessIsAskedForOnlyWhenItIsNeeded(t *testing.T) {
	for _, test := range []struct {
		name          string
		change        func(*setup)
		listed        bool
		caller        url.Values
		scope, prompt string
	}{
		{"listed", func(*setup) {}, true, nil, "openid offline_access", "consent"},
		{"not listed", func(*setup) {}, false, nil, "openid", ""},
		{"refresh off", func(s *setup) { s.RefreshOff = true }, true, nil, "openid", ""},
		{"refresh off though configured", func(s *setup) { s.RefreshOff = true; s.Scopes = []string{"openid", "offline_access"} }, true, nil, "openid", ""},
		{"configured", func(s *setup) { s.Scopes = []string{"offline_access", "profile"} }, true, nil, "openid offline_access profile", "consent"},
		{"operator wants no prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": ""} }, true, nil, "openid offline_access", ""},
		{"operator's prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": "login"} }, true, nil, "openid offline_access", "login"},
		{"silent login", func(s *setup) { s.AuthParams = map[string]string{"prompt": "login"} }, true, url.Values{"prompt": {"none"}}, "openid offline_access", "none"},
		{"caller's prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": ""} }, true, url.Values{"prompt": {"login"}}, "openid offline_access", "login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := odd.New(t)
			if !test.listed {
				op.OnDiscovery(func(d odd.Claims) { delete(d, "scopes_supported") })
			}
			q := authorizationQuery(t, newProvider(t, op, test.change), test.caller)
			if q.Get("scope") != test.scope || q.Get("prompt") != test.prompt {
				t.Errorf("scope = %q, prompt = %q; want %q, %q", q.Get("scope"), q.Get("prompt"), test.scope, test.prompt)
			}
		})
	}
}

// LS8: callers choose from a list, operators' parameters win, and no value breaks out of its place.
func TestCallersCanNotInjectAuthorizationParameters(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op, func(s *setup) {
		s.AuthParams = map[string]string{"acr_values": "gold", "audience": "api"}
		s.ResponseMode = "form_post"
	})
	caller := url.Values{"login_hint": {"a&scope=admin", "second"}, "acr_values": {"bronze"}, "ui_locales": {"ja"}, "max_age": {"60"}}
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce", "code_challenge", "scope", "request", "request_uri", "resource", "claims", "audience"} {
		caller.Set(name, "evil")
	}
	q := authorizationQuery(t, p, caller)
	for name, values := range q {
		if values[0] == "evil" {
			t.Errorf("%s was injected", name)
		}
	}
	for name, want := range map[string]string{
		"login_hint": "a&scope=admin", "acr_values": "gold", "ui_locales": "ja", "max_age": "60", "audience": "api", "response_mode": "form_post",
		"scope": "openid offline_access", "resource": "", "claims": "",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// LO2, LO3: the hint where it fits, client_id always, the endpoint's own query kept.
func TestEndSessionURL(t *testing.T) {
	op := odd.New(t)
	op.OnDiscovery(func(d odd.Claims) { d["end_session_endpoint"] = op.URL(odd.EndSession) + "?tenant=a" })
	p := newProvider(t, op)
	large := strings.Repeat("x", 20<<10)
	for _, test := range []struct {
		name, token, hint, wantToken, wantHint string
	}{
		{"with an ID token", "token", "alice", "token", ""},
		{"without", "", "alice", "", "alice"},
		{"with neither", "", "", "", ""},
		{"LO3 too large", large, "alice", "", "alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := p.EndSessionURL(t.Context(), provider.EndSessionRequest{IDTokenHint: secret.New(test.token), LogoutHint: test.hint, State: "s&x"})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(raw)
			if err != nil || len(raw) > 8<<10 {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
			for name, want := range map[string]string{
				"tenant": "a", "client_id": "cloakroom", "state": "s&x", "id_token_hint": test.wantToken, "logout_hint": test.wantHint,
				"post_logout_redirect_uri": "https://app.example.com/bff/logout/callback/main",
			} {
				if got := u.Query().Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
		})
	}
	without := odd.New(t)
	without.OnDiscovery(func(d odd.Claims) { delete(d, "end_session_endpoint") })
	if raw, err := newProvider(t, without).EndSessionURL(t.Context(), provider.EndSessionRequest{}); raw != "" || err != nil {
		t.Errorf("without the endpoint: %q, %v", raw, err)
	}
}
