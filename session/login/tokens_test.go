package login_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// CB14, TE2: whatever the token endpoint does, the code is sent once.
func TestCodeIsSentOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault odd.Interceptor
		kind  login.Kind
		code  string
	}{
		"hangs up":       {odd.Drop(), login.ProviderUnreachable, ""},
		"answers 500":    {odd.Answer(500, "text/plain", "oops"), login.ProviderUnreachable, ""},
		"answers 503":    {odd.Answer(503, "text/plain", "later", "Retry-After", "7"), login.ProviderUnreachable, ""},
		"captive portal": {odd.HTML(), login.ProviderUnreachable, ""},
		"redirects":      {odd.Redirect(307, "https://e.test/"), login.ProviderUnreachable, ""},
		"invalid_client": {odd.OAuthError(401, "invalid_client"), login.ProviderMisconfigured, "invalid_client"},
		"invalid_grant":  {odd.OAuthError(400, "invalid_grant"), login.ProviderRefused, "invalid_grant"},
		"something else": {odd.OAuthError(400, "invalid_request"), login.ProviderRefused, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			callback := b.away("")
			before := w.stands()
			undo := w.op.Intercept(odd.Token, c.fault)
			got := b.back(callback)
			undo()
			after := w.stands()
			if got.Kind != c.kind || got.Code != c.code {
				t.Errorf("got %+v, want %s (%s)", got, c.kind, c.code)
			}
			if before.tokenRequests++; after != before {
				t.Errorf("effects: %+v, want %+v", after, before)
			}
		})
	}
}

// ID1–ID13, TE3, TE5: nothing is used of a token response whose ID token does not hold (ID10), and what
// was issued is revoked. That each rule is checked is shown in package provider.
func TestBadIDTokenStartsNoSession(t *testing.T) {
	claim := func(name string, value any) func(*world) {
		return func(w *world) {
			w.op.OnClaims(func(_ string, c odd.Claims) {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			})
		}
	}
	for name, c := range map[string]struct {
		spoil func(w *world)
		kind  login.Kind
		code  string
	}{
		"no ID token (TE5)": {func(w *world) {
			w.op.OnToken(func(_ url.Values, a odd.Claims) { delete(a, "id_token") })
		}, login.IDTokenInvalid, "missing"},
		"another token type (TE3)": {func(w *world) {
			w.op.OnToken(func(_ url.Values, a odd.Claims) { a["token_type"] = "mac" })
		}, login.InvalidResponse, "token_type"},
		"issuer (ID1)":                {claim("iss", "https://e.test"), login.IDTokenInvalid, "iss"},
		"a further audience (ID2)":    {claim("aud", []string{"cloakroom", "other"}), login.IDTokenInvalid, "aud"},
		"no iat (ID7)":                {claim("iat", nil), login.IDTokenInvalid, "iat"},
		"no subject (ID8)":            {claim("sub", nil), login.IDTokenInvalid, "sub"},
		"no nonce (ID9)":              {claim("nonce", nil), login.IDTokenInvalid, "nonce"},
		"another nonce (ID9)":         {claim("nonce", "x"), login.IDTokenInvalid, "nonce"},
		"another access token (ID11)": {claim("at_hash", "x"), login.IDTokenInvalid, "at_hash"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.op.SetUser(odd.Claims{"sub": "alice"}) // userinfo would be wanted
			b := w.browser()
			callback := b.away("")
			c.spoil(w)
			before := w.stands()
			got := b.back(callback)
			if n := w.op.Count(odd.Userinfo); n != 0 {
				t.Errorf("userinfo was asked %d times", n)
			}
			w.op.SetUser(odd.Claims{"sub": "alice", "name": "A", "email": "a@example.com"})
			w.refusesTokens(b, before, got, c.kind, c.code)
		})
	}
}

// ID12: max_age and prompt=login are asked for and checked, by way of the sealed attempt.
func TestFreshLoginIsProved(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	old := func(_ string, c odd.Claims) { c["auth_time"] = w.now().Add(-time.Hour).Unix() }
	for _, query := range []string{"max_age=60", "max_age=0", "prompt=login"} {
		callback := b.away(query)
		w.op.OnClaims(old)
		before := w.stands()
		w.refusesTokens(b, before, b.back(callback), login.IDTokenInvalid, "auth_time")
	}
	w.op.OnClaims(old)
	if a := b.back(b.away("max_age=7200")); a.Kind != "" {
		t.Errorf("max_age=7200 came to %+v", a)
	}
}

func TestUserinfoCompletesTheClaims(t *testing.T) {
	w := newWorld(t)
	strip := func(_ string, c odd.Claims) { delete(c, "name"); delete(c, "email") }
	w.op.OnClaims(strip)
	w.op.OnUserinfo(func(c odd.Claims) {
		c["acr"], c["sid"], c["bff:logout_url"], c["roles"] = "high", "x", "/evil", []string{"a"}
	})
	b := w.browser()
	rec := b.login()
	var claims map[string]any
	if err := json.Unmarshal(rec.Claims, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["email"] != "alice@example.com" || fmt.Sprint(claims["roles"]) != "[a]" {
		t.Errorf("claims = %v", claims)
	}
	if claims["acr"] != nil || claims["bff:logout_url"] != nil || claims["sid"] == "x" || rec.SID == "x" { // MD12
		t.Errorf("userinfo said what only an ID token may: %v", claims)
	}
	// MD9: about somebody else.
	for _, sub := range []any{"mallory", "", nil, 7} {
		callback := b.away("")
		w.op.OnClaims(strip)
		w.op.OnUserinfo(func(c odd.Claims) { c["sub"] = sub })
		before := w.stands()
		before.userinfo++
		w.refusesTokens(b, before, b.back(callback), login.IDTokenInvalid, "userinfo_sub")
	}
}

func TestProviderWithoutUserinfoIsTakenAsItIs(t *testing.T) {
	w := newWorld(t)
	w.op.OnDiscovery(func(doc odd.Claims) { delete(doc, "userinfo_endpoint") })
	w.op.SetUser(odd.Claims{"sub": "alice"})
	if rec := w.browser().login(); rec.Subject != "alice" {
		t.Errorf("record = %+v", rec)
	}
}

func TestUserinfoOutageFailsTheLogin(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	w.op.OnClaims(func(_ string, c odd.Claims) { delete(c, "email") })
	undo := w.op.Intercept(odd.Userinfo, odd.Answer(503, "text/plain", ""))
	callback := b.away("")
	before := w.stands()
	before.userinfo++
	got := b.back(callback)
	undo()
	w.refusesTokens(b, before, got, login.ProviderUnreachable, "")
}

// RV1: refresh: off. The token that came all the same waits to be revoked, and is not kept.
func TestUnwantedRefreshTokenIsRevoked(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.RefreshOff = true })
	rec := w.browser().login()
	if rec.Refresh != "" || rec.Access == "" {
		t.Errorf("kept: refresh token %v, access token %v", rec.Refresh != "", rec.Access != "")
	}
	waiting := w.outbox()
	if len(waiting) != 1 || !waiting[0].RefreshToken.Equal(w.op.Grants("")[0].Issued) || !waiting[0].AccessToken.IsZero() {
		t.Errorf("%d in the outbox, want the refresh token alone", len(waiting))
	}
}
