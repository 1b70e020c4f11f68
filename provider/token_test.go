package provider_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TE1: Basic authentication preserves every character of the client_id and the secret.
func TestBasicAuthenticationFormEncodesFirst(t *testing.T) {
	op := odd.New(t, odd.WithClient(odd.Client{ID: "id:with %+é", Secret: "s:e%c+r é&=", Auth: "client_secret_basic", Alg: "RS256"}))
	tokens(t, newProvider(t, op), op)
	raw, _ := strings.CutPrefix(op.Requests(odd.Token)[0].Header.Get("Authorization"), "Basic ")
	plain, err := base64.StdEncoding.DecodeString(raw)
	want := url.QueryEscape("id:with %+é") + ":" + url.QueryEscape("s:e%c+r é&=")
	if err != nil || string(plain) != want {
		t.Errorf("credentials = %q, want %q", plain, want)
	}
}

// TE2, TE6, LS2: each method alone authenticates this client, for every grant and for revocation.
func TestEachClientAuthenticationMethodWorksAlone(t *testing.T) {
	rsaKey, ecKey := odd.NewKey("client-rsa", "RS256"), odd.NewKey("client-ec", "ES256")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey.Private)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey.Private.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := jose.JSONWebKey{Key: ecKey.Private, KeyID: "client-ec"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaKey.Private.(*rsa.PrivateKey))
	for _, test := range []struct {
		name, auth string
		public     any
		key        string
	}{
		{name: "basic", auth: "client_secret_basic"},
		{name: "post", auth: "client_secret_post"},
		{name: "secret JWT", auth: "client_secret_jwt"},
		{name: "key JWT, PKCS #8", auth: "private_key_jwt", public: rsaKey.Private.Public(), key: block("PRIVATE KEY", pkcs8)},
		{name: "key JWT, PKCS #1", auth: "private_key_jwt", public: rsaKey.Private.Public(), key: block("RSA PRIVATE KEY", pkcs1)},
		{name: "key JWT, SEC 1", auth: "private_key_jwt", public: ecKey.Private.Public(), key: block("EC PRIVATE KEY", sec1)},
		{name: "key JWT, JWK", auth: "private_key_jwt", public: ecKey.Private.Public(), key: string(jwk)},
		{name: "none", auth: "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := odd.New(t, odd.WithClient(odd.Client{
				ID: "cloakroom", Secret: strings.Repeat("s", 40),
				Auth: test.auth, PublicKey: test.public, Alg: "RS256",
			}))
			p := newProvider(t, op, func(s *setup) {
				s.ClientKeyPEM = secret.New(test.key)
				if !strings.HasPrefix(test.auth, "client_secret_") {
					s.ClientSecret = secret.Value{}
				}
			})
			got := tokens(t, p, op)
			got, err := p.Refresh(t.Context(), got.RefreshToken, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.ClientCredentials(t.Context(), []string{"a", "b"}); err != nil {
				t.Error(err)
			}
			if err := p.Revoke(t.Context(), got.RefreshToken, "refresh_token"); err != nil {
				t.Error(err)
			}
			if live := op.LiveRefreshTokens(); len(live) != 0 {
				t.Errorf("live refresh tokens = %v, want none", live)
			}
			for _, r := range append(op.Requests(odd.Token), op.Requests(odd.Revocation)...) {
				checkOneMethod(t, r)
			}
		})
	}
}

// checkOneMethod checks that a request has one kind of credential, and none in its URL (MD11).
func checkOneMethod(t *testing.T, r odd.Request) {
	t.Helper()
	kinds := 0
	for _, there := range []bool{r.Header.Get("Authorization") != "", r.Form.Has("client_secret"), r.Form.Has("client_assertion")} {
		if there {
			kinds++
		}
	}
	if kinds > 1 || r.RawQuery != "" || r.Method != http.MethodPost {
		t.Errorf("%s request with %d kinds of credentials, method %s, query %q", r.Endpoint, kinds, r.Method, r.RawQuery)
	}
}

// TE2, CB14, RN5: whatever the answer, exactly one request is sent.
func TestTokenRequestsAreSentOnce(t *testing.T) {
	for name, answer := range map[string]odd.Interceptor{
		"hang up": odd.Drop(), "answer lost": odd.DropAnswer(), "400": odd.OAuthError(400, "invalid_request"),
		"401": odd.OAuthError(401, "invalid_client"), "500": odd.Answer(500, "text/plain", "oops"), "HTML": odd.HTML(),
		"307": odd.Redirect(307, "/token"), "time-out": odd.Hang(nil),
	} {
		t.Run(name, func(t *testing.T) {
			op := odd.New(t)
			p := newProvider(t, op, func(s *setup) { s.Timeout = 300 * time.Millisecond })
			refreshToken := tokens(t, p, op).RefreshToken // on a connection that is used again
			before := op.Count(odd.Token)
			op.Intercept(odd.Token, answer)
			if _, err := exchange(t, p, op); err == nil {
				t.Error("exchange succeeded")
			}
			if n := op.Count(odd.Token) - before; n != 1 {
				t.Errorf("code grants = %d, want 1", n)
			}
			if _, err := p.Refresh(t.Context(), refreshToken, nil); err == nil {
				t.Error("refresh succeeded")
			}
			if n := op.Count(odd.Token) - before; n != 2 {
				t.Errorf("token requests = %d, want 2", n)
			}
		})
	}
}

// RN9: each answer is the right kind of failure.
func TestTokenErrorsAreToldApart(t *testing.T) {
	refused, operator, passing := provider.ErrInvalidGrant, provider.ErrMisconfigured, provider.ErrUnreachable
	tooMuch := `{"access_token":"` + strings.Repeat("x", 2<<20) + `"}`
	op := odd.New(t)
	for name, test := range map[string]struct {
		answer odd.Interceptor
		want   error // nil: an error that is none of the three
	}{
		"invalid_grant":                  {odd.OAuthError(400, "invalid_grant"), refused},
		"invalid_grant with 200":         {odd.OAuthError(200, "invalid_grant"), refused},
		"invalid_grant with 401":         {odd.OAuthError(401, "invalid_grant"), refused},
		"invalid_grant with 503":         {odd.OAuthError(503, "invalid_grant"), passing},
		"invalid_client":                 {odd.OAuthError(401, "invalid_client"), operator},
		"invalid_client with 400":        {odd.OAuthError(400, "invalid_client"), operator},
		"unauthorized_client":            {odd.OAuthError(400, "unauthorized_client"), operator},
		"401 without a body":             {odd.Answer(401, "text/plain", ""), operator},
		"temporarily_unavailable":        {odd.OAuthError(400, "temporarily_unavailable"), passing},
		"429":                            {odd.OAuthError(429, "invalid_grant"), passing},
		"500":                            {odd.Answer(500, "text/html", "<h1>oops"), passing},
		"HTML with 200":                  {odd.HTML(), passing},
		"HTML with 403":                  {odd.Answer(403, "text/html", "<h1>blocked"), passing},
		"nothing with 200":               {odd.Answer(200, "application/json", ""), passing},
		"an array with 200":              {odd.Answer(200, "application/json", "[]"), passing},
		"too much":                       {odd.Answer(200, "application/json", tooMuch), passing},
		"hang up":                        {odd.Drop(), passing},
		"unknown error":                  {odd.OAuthError(400, "teapot"), nil},
		"error a number":                 {odd.Answer(400, "application/json", `{"error":7}`), passing},
		"no access token":                {odd.Answer(200, "application/json", `{"token_type":"Bearer"}`), nil},
		"access token null":              {odd.Answer(200, "application/json", `{"access_token":null,"token_type":"Bearer"}`), nil},
		"access token with a line break": {odd.Answer(200, "application/json", `{"access_token":"a\r\nb","token_type":"Bearer"}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, op)
			undo := op.Intercept(odd.Token, test.answer)
			defer undo()
			_, err := p.Refresh(t.Context(), secret.New("rt"), nil)
			for _, kind := range []error{refused, operator, passing} {
				if errors.Is(err, kind) != (kind == test.want) {
					t.Errorf("error = %v; is it %q: %v", err, kind, errors.Is(err, kind))
				}
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

// TE3: the token type must be Bearer, in any case. The tokens of a refused response can be revoked.
func TestTokenTypeMustBeBearer(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	for typ, good := range map[any]bool{"Bearer": true, "bEARER": true, "mac": false, "DPoP": false, "": false, nil: false, 7: false} {
		op.OnToken(func(_ url.Values, a odd.Claims) { a["token_type"] = typ })
		_, err := exchange(t, p, op)
		var invalid *provider.InvalidResponseError
		refused := errors.As(err, &invalid) && invalid.Rule == "token_type" &&
			!invalid.Issued.RefreshToken.IsZero()
		if good && err != nil || !good && !refused {
			t.Errorf("token_type %v: error = %v", typ, err)
		}
	}
}

// TE4: no value of expires_in gives a token an endless or an empty life.
func TestExpiresInIsReadWithCare(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	for raw, want := range map[string]time.Duration{
		`3600`: time.Hour, `"3600"`: time.Hour, `" 60 "`: time.Minute, `90.5`: 90*time.Second + 500*time.Millisecond, `2`: 2 * time.Second,
		`0.001`: time.Second, `0`: provider.DefaultExpiresIn, `-1`: provider.DefaultExpiresIn, `null`: provider.DefaultExpiresIn,
		`"soon"`: provider.DefaultExpiresIn, `""`: provider.DefaultExpiresIn,
		`"NaN"`: provider.DefaultExpiresIn, `{}`: provider.DefaultExpiresIn,
		`true`: provider.DefaultExpiresIn, `1e18`: 30 * 24 * time.Hour, `1e400`: 30 * 24 * time.Hour, `"-Inf"`: provider.DefaultExpiresIn,
	} {
		op.OnToken(func(_ url.Values, a odd.Claims) { a["expires_in"] = json.RawMessage(raw) })
		if got := tokens(t, p, op).ExpiresIn; got != want {
			t.Errorf("expires_in %s = %v, want %v", raw, got, want)
		}
	}
	op.OnToken(func(_ url.Values, a odd.Claims) { delete(a, "expires_in") })
	if got := tokens(t, p, op).ExpiresIn; got != provider.DefaultExpiresIn {
		t.Errorf("no expires_in = %v, want %v", got, provider.DefaultExpiresIn)
	}
}

// TE5, RN3: unknown members are ignored, missing ones are empty, and the scope is recorded as
// granted.
func TestTokenResponseIsTakenAsItIs(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	op.OnToken(func(_ url.Values, a odd.Claims) {
		a["scope"], a["refresh_token"], a["id_token"] = "openid", "", nil
		a["something"] = odd.Claims{"new": []int{1}}
	})
	got := tokens(t, p, op)
	if got.Scope != "openid" || !got.RefreshToken.IsZero() || !got.IDToken.IsZero() {
		t.Errorf("token response = %+v", got)
	}
	op.OnToken(func(_ url.Values, a odd.Claims) { delete(a, "scope") })
	got = tokens(t, p, op)
	if got.Scope != "openid offline_access" {
		t.Errorf("scope when absent = %q, want what was asked for", got.Scope)
	}
	if got, err := p.Refresh(t.Context(), got.RefreshToken, nil); err != nil || got.Scope != "" {
		t.Errorf("scope of a renewal when absent = %+v, %v", got, err)
	}
}

func TestClientCredentialsBringNoRefreshToken(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	op.OnToken(func(_ url.Values, a odd.Claims) { a["refresh_token"] = "rt"; delete(a, "scope") })
	got, err := p.ClientCredentials(t.Context(), []string{"read", "write"})
	if err != nil || !got.RefreshToken.IsZero() || got.Scope != "read write" || got.AccessToken.IsZero() {
		t.Errorf("token response = %+v, %v", got, err)
	}
}

// LG2: errors contain nothing that was sent, and no body.
func TestErrorsHoldNothingSecret(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	for name, echo := range map[string]odd.Interceptor{
		"description": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(400)
			description := "no such token: " + r.PostForm.Get("refresh_token")
			_ = json.NewEncoder(w).Encode(odd.Claims{"error": "invalid_grant", "error_description": description})
		},
		"encoded description": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(odd.Claims{"error": "invalid_grant", "error_description": r.PostForm.Encode()})
		},
		"code": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(odd.Claims{"error": r.PostForm.Get("refresh_token")})
		},
		"body": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(403)
			_, _ = fmt.Fprint(w, r.PostForm.Encode())
		},
		"credentials": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(401)
			_ = json.NewEncoder(w).Encode(odd.Claims{"error": "invalid_client", "error_description": r.Header.Get("Authorization")})
		},
	} {
		undo := op.Intercept(odd.Token, echo)
		_, err := p.Refresh(t.Context(), secret.New("rt-very/secret+"), nil)
		undo()
		for _, s := range []string{"very", "Y2xvYWtyb29tOnNlY3JldA"} {
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), s) {
				t.Errorf("%s: error = %#v", name, err)
			}
		}
	}
	body := `{"error":"invalid_scope","error_description":"a\u0000b\u202ec` + strings.Repeat("x", 9000) + `"}`
	op.Intercept(odd.Token, odd.Answer(400, "application/json", body))
	_, err := p.Refresh(t.Context(), secret.New("rt"), nil)
	var o *provider.OAuthError
	if !errors.As(err, &o) || o.Code != "invalid_scope" || len(o.Description) > 200 || !strings.HasPrefix(o.Description, "abcx") {
		t.Errorf("error = %v", err)
	}
}
