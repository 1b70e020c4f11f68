package login_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// CB14, TE2: whatever the token endpoint does, the code is sent once.
func TestCodeIsSentOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault odd.Interceptor
		kind  problem.Code
		code  string
	}{
		"hangs up":       {odd.Drop(), problem.ProviderUnreachable, ""},
		"answers 500":    {odd.Answer(500, "text/plain", "oops"), problem.ProviderUnreachable, ""},
		"answers 503":    {odd.Answer(503, "text/plain", "later", "Retry-After", "7"), problem.ProviderUnreachable, ""},
		"captive portal": {odd.HTML(), problem.ProviderUnreachable, ""},
		"redirects":      {odd.Redirect(307, "https://e.test/"), problem.ProviderUnreachable, ""},
		"invalid_client": {odd.OAuthError(401, "invalid_client"), problem.ProviderMisconfigured, "invalid_client"},
		"invalid_grant":  {odd.OAuthError(400, "invalid_grant"), problem.ProviderRefused, "invalid_grant"},
		"something else": {odd.OAuthError(400, "invalid_request"), problem.ProviderRefused, "invalid_request"},
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

// ID1–ID13, TE3, TE5: nothing is used of a token response whose ID token does not hold (ID10), and
// what was issued is revoked. That each rule is checked is shown in package jose.
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
		kind  problem.Code
		code  string
	}{
		"no ID token (TE5)": {func(w *world) {
			w.op.OnToken(func(_ url.Values, a odd.Claims) { delete(a, "id_token") })
		}, problem.IDTokenInvalid, "missing"},
		"another token type (TE3)": {func(w *world) {
			w.op.OnToken(func(_ url.Values, a odd.Claims) { a["token_type"] = "mac" })
		}, problem.InvalidResponse, "token_type"},
		"issuer (ID1)": {claim("iss", "https://e.test"), problem.IDTokenInvalid, "iss"},
		"another's key (ID4)": {func(w *world) {
			w.op.OnSign(func(h, c odd.Claims) string { return odd.Sign(odd.NewKey("rsa-1", "RS256"), h, c) })
		}, problem.IDTokenInvalid, "signature"},
		"expired (ID6)": {func(w *world) {
			w.op.OnClaims(func(_ string, c odd.Claims) { c["exp"] = w.now().Add(-time.Hour).Unix() })
		}, problem.IDTokenInvalid, "exp"},
		"a further audience (ID2)":    {claim("aud", []string{"cloakroom", "other"}), problem.IDTokenInvalid, "aud"},
		"no iat (ID7)":                {claim("iat", nil), problem.IDTokenInvalid, "iat"},
		"no subject (ID8)":            {claim("sub", nil), problem.IDTokenInvalid, "sub"},
		"no nonce (ID9)":              {claim("nonce", nil), problem.IDTokenInvalid, "nonce"},
		"another nonce (ID9)":         {claim("nonce", "x"), problem.IDTokenInvalid, "nonce"},
		"another access token (ID11)": {claim("at_hash", "x"), problem.IDTokenInvalid, "at_hash"},
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
		w.refusesTokens(b, before, b.back(callback), problem.IDTokenInvalid, "auth_time")
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
		w.refusesTokens(b, before, b.back(callback), problem.IDTokenInvalid, "userinfo_sub")
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

// noUserinfo are the ways in which userinfo can give no claims.
func noUserinfo() map[string]odd.Interceptor {
	return map[string]odd.Interceptor{
		"401": odd.Answer(http.StatusUnauthorized, "application/json", "{}", "WWW-Authenticate", `Bearer error="invalid_token"`),
		"403": odd.Answer(http.StatusForbidden, "text/plain", ""), "404": odd.Answer(http.StatusNotFound, "text/plain", ""),
		"429":    odd.Answer(http.StatusTooManyRequests, "text/plain", "", "Retry-After", "60"),
		"503":    odd.Answer(http.StatusServiceUnavailable, "text/plain", ""),
		"a page": odd.HTML(), "a redirect": odd.Redirect(http.StatusFound, "/login"), "nothing": odd.Drop(),
		"JSON as text":   odd.Answer(http.StatusOK, "text/plain", `{"sub":"alice","groups":["admins"]}`),
		"no object":      odd.Answer(http.StatusOK, "application/json", `["sub","alice"]`),
		"no JSON":        odd.Answer(http.StatusOK, "application/json", `{"sub":"alice"`),
		"a member twice": odd.Answer(http.StatusOK, "application/json", `{"sub":"alice","sub":"alice"}`),
		"unsigned":       odd.Answer(http.StatusOK, "application/jwt", "e30.e30."),
		"too late":       odd.Hang(nil),
	}
}

// TestLoginGoesOnWithoutUserinfo: by default what userinfo would say is worth a warning, and no
// login.
func TestLoginGoesOnWithoutUserinfo(t *testing.T) {
	w := newWorld(t)
	w.op.OnClaims(func(_ string, c odd.Claims) { delete(c, "email") })
	for name, answer := range noUserinfo() {
		undo := w.op.Intercept(odd.Userinfo, answer)
		began := time.Now()
		rec := w.browser().login()
		undo()
		if took := time.Since(began); name == "too late" && took < 2*time.Second {
			t.Errorf("a provider that hangs was waited for %v", took)
		}
		var claims map[string]any
		err := json.Unmarshal(rec.Claims, &claims)
		if err != nil || claims["sub"] != "alice" ||
			claims["email"] != nil || claims["groups"] != nil {
			t.Errorf("%s: claims = %v, %v", name, claims, err)
		}
	}
	got, want := strings.Count(w.logs.String(), "providers.userinfo: off"), len(noUserinfo())
	if got != want || !strings.Contains(w.logs.String(), "level=WARN") {
		t.Errorf("%d warnings with the remedy, want %d", got, want)
	}
}

// TestLoginFailsWithoutRequiredUserinfo is the other way round.
func TestLoginFailsWithoutRequiredUserinfo(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.Userinfo = provider.UserinfoRequired })
	for name, want := range map[string]problem.Code{
		"401": problem.ProviderRefused, "503": problem.ProviderUnreachable,
		"a page": problem.ProviderUnreachable, "unsigned": problem.IDTokenInvalid,
	} {
		b := w.browser()
		undo := w.op.Intercept(odd.Userinfo, noUserinfo()[name])
		got := b.back(b.away(""))
		undo()
		if got.Kind != want {
			t.Errorf("%s: the login came to %+v, want %s", name, got, want)
		}
	}
	if rec := w.browser().login(); rec.Subject != "alice" {
		t.Errorf("record = %+v", rec)
	}
	if w.logins("success") != 1 {
		t.Error("another login succeeded")
	}
}

// TestRequiredUserinfoNeedsAnEndpoint: nobody is sent away to log in for nothing.
func TestRequiredUserinfoNeedsAnEndpoint(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.Userinfo = provider.UserinfoRequired })
	w.op.OnDiscovery(func(doc odd.Claims) { delete(doc, "userinfo_endpoint") })
	got := w.browser().ask(w.browser().get(w.app + "/bff/login?provider=main&returnUrl=/"))
	if got.Kind != problem.ProviderMisconfigured || !strings.Contains(got.Err, "userinfo_endpoint") {
		t.Errorf("begin = %+v", got)
	}
}

// TestUserinfoIsNotAskedWhereItIsOff: even about what only it would say.
func TestUserinfoIsNotAskedWhereItIsOff(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.Userinfo = provider.UserinfoOff })
	w.op.OnClaims(func(_ string, c odd.Claims) { delete(c, "email") })
	w.op.OnUserinfo(func(c odd.Claims) { c["sub"] = "mallory" })
	w.browser().login()
	if n := w.op.Count(odd.Userinfo); n != 0 {
		t.Errorf("userinfo was asked %d times", n)
	}
}

// TestUserinfoOfAnotherFailsEveryLogin (MD9): silent logins, step-ups, and where it is required.
func TestUserinfoOfAnotherFailsEveryLogin(t *testing.T) {
	for _, mode := range []string{provider.UserinfoAuto, provider.UserinfoRequired} {
		w := newWorld(t, func(c *provider.Config) { c.Userinfo = mode })
		b := w.browser()
		b.login()
		w.op.OnUserinfo(func(c odd.Claims) { c["sub"] = "mallory" })
		for _, query := range []string{"", "prompt=none", "step_up=1&max_age=600"} {
			if got := b.back(b.away(query)); got.Kind != problem.IDTokenInvalid || got.Code != "userinfo_sub" {
				t.Errorf("%s, %q: the login came to %+v", mode, query, got)
			}
		}
		if rec := b.record(); rec == nil || rec.Subject != "alice" {
			t.Errorf("%s: the session is %+v", mode, rec)
		}
	}
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
