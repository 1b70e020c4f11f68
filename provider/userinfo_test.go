package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// MD9, MD11: the claims must be about the ID token's subject, and the access token is sent only in
// the header.
func TestUserinfoIsAboutTheSubject(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	got := tokens(t, p, op)
	raw, err := p.Userinfo(t.Context(), got.AccessToken, "alice")
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims["email"] != "alice@example.com" {
		t.Fatalf("userinfo = %s, %v", raw, err)
	}
	r := op.Requests(odd.Userinfo)[0]
	if r.RawQuery != "" || len(r.Body) != 0 || r.Header.Get("Authorization") != "Bearer "+got.AccessToken.Reveal() {
		t.Errorf("request = %+v", r)
	}
	for _, sub := range []any{"mallory", "", nil, 7, "ALICE"} {
		op.OnUserinfo(func(c odd.Claims) { c["sub"] = sub })
		var invalid *jose.InvalidTokenError
		raw, err := p.Userinfo(t.Context(), got.AccessToken, "alice")
		if raw != nil || !errors.As(err, &invalid) || invalid.Rule != "userinfo_sub" {
			t.Errorf("sub %v: %s, %v", sub, raw, err)
		}
	}
}

// MD10: signed userinfo is verified like an ID token.
func TestSignedUserinfoIsVerified(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	accessToken := tokens(t, p, op).AccessToken
	key := op.Key("rsa-1", "")
	for _, test := range []struct {
		name, rule string
		sign       func(h, c odd.Claims) string
	}{
		{"good", "", func(h, c odd.Claims) string { return odd.Sign(key, h, c) }},
		{"unsigned", "alg", func(h, c odd.Claims) string { h["alg"] = "none"; return odd.Sign(nil, h, c) }},
		{"by another key of the set", "alg", func(h, c odd.Claims) string {
			h["alg"], h["kid"] = "ES256", "ec-1"
			return odd.Sign(op.Key("ec-1", ""), h, c)
		}},
		{"bad signature", "signature", func(h, c odd.Claims) string { return odd.Sign(odd.NewKey("rsa-1", "RS256"), h, c) }},
		{"no iss", "iss", func(h, c odd.Claims) string { delete(c, "iss"); return odd.Sign(key, h, c) }},
		{"other iss", "iss", func(h, c odd.Claims) string { c["iss"] = "https://evil.example.com"; return odd.Sign(key, h, c) }},
		{"no aud", "aud", func(h, c odd.Claims) string { delete(c, "aud"); return odd.Sign(key, h, c) }},
		{"other aud", "aud", func(h, c odd.Claims) string { c["aud"] = "other"; return odd.Sign(key, h, c) }},
		{"other sub", "userinfo_sub", func(h, c odd.Claims) string { c["sub"] = "mallory"; return odd.Sign(key, h, c) }},
		{"expired", "exp", func(h, c odd.Claims) string { c["exp"] = now() - 3600; return odd.Sign(key, h, c) }},
		{"logout token", "typ", func(h, c odd.Claims) string { h["typ"] = "logout+jwt"; return odd.Sign(key, h, c) }},
		{"text", "format", func(_, _ odd.Claims) string { return "text" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := test.sign(op.Header(), odd.Claims{"iss": op.Issuer(), "aud": "cloakroom", "sub": "alice"})
			undo := op.Intercept(odd.Userinfo, odd.Answer(http.StatusOK, "application/jwt; charset=utf-8", body))
			defer undo()
			raw, err := p.Userinfo(t.Context(), accessToken, "alice")
			var invalid *jose.InvalidTokenError
			refused := errors.As(err, &invalid) && invalid.Rule == test.rule
			if test.rule == "" && (err != nil || raw == nil) || test.rule != "" && !refused {
				t.Errorf("userinfo = %s, %v, want rule %q", raw, err, test.rule)
			}
		})
	}
}

func TestUserinfoFailuresAreToldApart(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	got := tokens(t, p, op)
	var o *provider.OAuthError
	if _, err := p.Userinfo(t.Context(), secret.New("wrong"), "alice"); !errors.As(err, &o) || o.Code != "invalid_token" {
		t.Errorf("wrong token: %v", err)
	}
	for name, answer := range map[string]odd.Interceptor{
		"HTML": odd.HTML(), "503": odd.Answer(503, "text/plain", ""), "hang up": odd.Drop(),
		"huge":     odd.Answer(200, "application/json", `{"sub":"alice","x":"`+strings.Repeat("x", 2<<20)+`"}`),
		"repeated": odd.Answer(200, "application/json", `{"sub":"alice","sub":"alice"}`),
	} {
		undo := op.Intercept(odd.Userinfo, answer)
		if raw, err := p.Userinfo(t.Context(), got.AccessToken, "alice"); raw != nil || !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("%s: %s, %v, want unreachable", name, raw, err)
		}
		undo()
	}
}

func TestProviderWithoutUserinfoHasNone(t *testing.T) {
	op := odd.New(t)
	op.OnDiscovery(func(d odd.Claims) { delete(d, "userinfo_endpoint") })
	if raw, err := newProvider(t, op).Userinfo(t.Context(), secret.New("at"), "alice"); raw != nil || err != nil {
		t.Errorf("userinfo = %s, %v", raw, err)
	}
}
