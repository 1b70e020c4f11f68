package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
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

// LS1, LS3, LS6: the code grant with S256, whatever the metadata lists. The endpoint's own query is
// kept.
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

// LS7: offline_access is requested if the provider lists it and refresh is on; prompt=consent only
// with it.
func TestOfflineAccessIsAskedForOnlyWhenItIsNeeded(t *testing.T) {
	for _, test := range []struct {
		name          string
		change        func(*setup)
		listed        bool
		caller        url.Values
		scope, prompt string
		grants        any // grant_types_supported; nil: not there
	}{
		{"listed", func(*setup) {}, true, nil, "openid offline_access", "consent", nil},
		{"not listed", func(*setup) {}, false, nil, "openid", "", nil},
		{"refresh off", func(s *setup) { s.RefreshOff = true }, true, nil, "openid", "", nil},
		{
			"configured", func(s *setup) { s.Scopes = []string{"openid", "offline_access", "profile"} },
			true, nil, "openid offline_access profile", "consent", nil,
		},
		{
			"operator wants no prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": ""} },
			true, nil, "openid offline_access", "", nil,
		},
		{
			"operator's prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": "login"} },
			true, nil, "openid offline_access", "login", nil,
		},
		{
			"silent login", func(s *setup) { s.AuthParams = map[string]string{"prompt": "login"} },
			true,
			url.Values{"prompt": {"none"}},
			"openid offline_access", "none", nil,
		},
		{
			"caller's prompt", func(s *setup) { s.AuthParams = map[string]string{"prompt": ""} },
			true,
			url.Values{"prompt": {"login"}},
			"openid offline_access", "login", nil,
		},
		{
			"refresh tokens announced", func(*setup) {},
			true, nil, "openid offline_access", "consent",
			[]string{"authorization_code", "refresh_token"},
		},
		{"no refresh tokens announced", func(*setup) {}, true, nil, "openid", "", []string{"authorization_code", "client_credentials"}},
		{"no grants at all announced", func(*setup) {}, true, nil, "openid", "", []string{}},
		{
			"configured though none are announced", func(s *setup) { s.Scopes = []string{"openid", "offline_access"} },
			true, nil, "openid offline_access", "consent",
			[]string{"authorization_code"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := odd.New(t)
			op.OnDiscovery(func(d odd.Claims) {
				if !test.listed {
					delete(d, "scopes_supported")
				}
				if test.grants != nil {
					d["grant_types_supported"] = test.grants
				}
			})
			q := authorizationQuery(t, newProvider(t, op, test.change), test.caller)
			if q.Get("scope") != test.scope || q.Get("prompt") != test.prompt {
				t.Errorf("scope = %q, prompt = %q; want %q, %q", q.Get("scope"), q.Get("prompt"), test.scope, test.prompt)
			}
		})
	}
}

// LS8: callers choose from a list of parameters, those of the operator take precedence, and no
// value can add another parameter.
func TestCallersCanNotInjectAuthorizationParameters(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op, func(s *setup) {
		s.AuthParams = map[string]string{"acr_values": "gold", "audience": "api"}
		s.ResponseMode = "form_post"
	})
	caller := url.Values{"login_hint": {"a&scope=admin", "second"}, "acr_values": {"bronze"}, "ui_locales": {"ja"}, "max_age": {"60"}}
	for _, name := range []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce",
		"code_challenge", "scope", "request", "request_uri", "resource", "claims", "audience",
	} {
		caller.Set(name, "evil")
	}
	q := authorizationQuery(t, p, caller)
	for name, values := range q {
		if values[0] == "evil" {
			t.Errorf("%s was injected", name)
		}
	}
	for name, want := range map[string]string{
		"login_hint": "a&scope=admin", "acr_values": "gold", "ui_locales": "ja", "max_age": "60",
		"audience": "api", "response_mode": "form_post",
		"scope": "openid offline_access", "resource": "", "claims": "",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// LO2, LO3: the URL has id_token_hint if it fits, always client_id, and the query of the endpoint.
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
			raw, err := p.EndSessionURL(t.Context(), provider.EndSessionRequest{
				IDTokenHint: secret.New(test.token), LogoutHint: test.hint, State: "s&x",
			})
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

// For providers that announce no end_session_endpoint, the operator's address is used, with each
// value percent-encoded in its place. The ID token is sent only if the address asks for it. With
// off, browsers are sent nowhere.
func TestConfiguredEndSessionURL(t *testing.T) {
	const back = "https%3A%2F%2Fapp.example.com%2Fbff%2Flogout%2Fcallback%2Fmain"
	request := provider.EndSessionRequest{IDTokenHint: secret.New("to.k+en"), LogoutHint: "a b&x=1", State: "s&t/{client_id}"}
	for _, test := range []struct {
		name, setting, want string
		request             provider.EndSessionRequest
	}{
		{"off", "off", "", request},
		{
			"Cognito",
			"https://x.example/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}",
			"https://x.example/logout?client_id=cloakroom&logout_uri=" + back, request,
		},
		{
			"Auth0", "https://x.example/v2/logout?returnTo={post_logout_redirect_uri}",
			"https://x.example/v2/logout?returnTo=" + back, request,
		},
		{"without placeholders", "https://x.example/bye", "https://x.example/bye", request},
		{"fixed query", "https://x.example/bye?federated&a=%20b", "https://x.example/bye?federated&a=%20b", request},
		{
			"all", "http://127.0.0.1:1/?h={id_token_hint}&l={logout_hint}&s={state}",
			"http://127.0.0.1:1/?h=to.k%2Ben&l=a%20b%26x%3D1&s=s%26t%2F%7Bclient_id%7D", request,
		},
		{
			"empty values", "https://x.example/?h={id_token_hint}&c={client_id}&s={state}",
			"https://x.example/?c=cloakroom",
			provider.EndSessionRequest{},
		},
		{"nothing left", "https://x.example/?h={id_token_hint}", "https://x.example/", provider.EndSessionRequest{}},
		{
			"LO3 too large", "https://x.example/?h={id_token_hint}&s={state}", "https://x.example/?s=s",
			provider.EndSessionRequest{IDTokenHint: secret.New(strings.Repeat("x", 20<<10)), State: "s"},
		},
	} {
		op := odd.New(t)
		op.SetDown() // none of these asks the provider
		p := newProvider(t, op, func(s *setup) { s.EndSession = test.setting })
		if got, err := p.EndSessionURL(t.Context(), test.request); got != test.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
	for _, bad := range []string{
		"javascript:alert(1)", "http://x.example/", "https://{client_id}.example/", "https://x.example/{state}", "https://x.example/?a={b}",
		"https://x.example/?a={state", "https://u@x.example/", "https://x.example/#{state}",
		"https://x.example/?a=b c", "https://x.example/log out", "on", "https:///?a={state}",
	} {
		_, err := provider.New(provider.Config{
			ID: "main", Issuer: "https://id.example.com", ClientID: "c", ClientAuth: "none", EndSession: bad,
		}, provider.Options{})
		if !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("%q: error = %v, want ErrMisconfigured", bad, err)
		}
	}
}
