package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// CB4, CB5: the issuer is compared byte for byte, and is missed where it was promised, before the
// code goes anywhere.
func TestIssuerOfTheResponseIsChecked(t *testing.T) {
	w := newWorld(t)
	issuer := w.op.Issuer()
	for _, iss := range []string{
		issuer + "/", strings.ToUpper(issuer), strings.Replace(issuer, "://", ":%2F%2F", 1),
		w.other.Issuer(), "null", " " + issuer,
	} {
		b := w.browser()
		callback := with(b.away(""), "iss", iss)
		before := w.stands()
		w.refuses(b, before, b.back(callback), problem.InvalidResponse, "iss")
	}
	b := w.browser()
	callback := b.away("")
	q := callback.Query()
	q.Del("iss")
	missing, empty := *callback, *callback
	missing.RawQuery = q.Encode()
	before := w.stands()
	w.refuses(b, before, b.back(&missing), problem.InvalidResponse, "iss missing")
	callback = b.away("")
	q = callback.Query()
	q.Set("iss", "")
	empty.RawQuery = q.Encode()
	before = w.stands()
	w.refuses(b, before, b.back(&empty), problem.InvalidResponse, "iss")
}

func TestIssuerMayBeAbsentWhereItIsNotPromised(t *testing.T) {
	w := newWorld(t)
	w.op.OnDiscovery(func(doc odd.Claims) { delete(doc, "authorization_response_iss_parameter_supported") })
	b := w.browser()
	if a := b.back(with(b.away(""), "iss", "")); a.Kind != "" {
		t.Errorf("a response without iss came to %+v", a)
	}
	before := w.stands()
	w.refuses(b, before, b.back(with(b.away(""), "iss", "https://e.test")), problem.InvalidResponse, "iss")
}

// CB6, LS5: a code from elsewhere is worth nothing here, even at a provider that ignores PKCE.
func TestInjectedCodeIsRefused(t *testing.T) {
	w := newWorld(t)
	victim, attacker := w.browser(), w.browser()
	stolen := victim.away("").Query().Get("code")
	callback := with(attacker.away(""), "code", stolen)
	before := w.stands()
	before.tokenRequests++ // PKCE: the provider refuses
	w.refuses(attacker, before, attacker.back(callback), problem.ProviderRefused, "invalid_grant")

	const known = "a-verifier-of-at-least-forty-three-characters-x"
	stolen = w.op.Login(w.op.URL(odd.Authorize) + "?" + url.Values{
		"client_id": {w.op.Client.ID}, "response_type": {"code"}, "redirect_uri": {w.app + "/bff/callback/main"},
		"scope": {"openid"}, "state": {"s"}, "nonce": {"the victim's"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(known)}, "code_challenge_method": {"S256"},
	}.Encode()).Query().Get("code")
	undo := w.op.Intercept(odd.Token, func(rw http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if r.PostForm.Get("code") == stolen {
			r.PostForm.Set("code_verifier", known)
		}
		next(rw, r)
	})
	defer undo()
	callback = with(attacker.away(""), "code", stolen)
	before = w.stands()
	w.refusesTokens(attacker, before, attacker.back(callback), problem.IDTokenInvalid, "nonce")
}

// CB7, CB8: an answer that arrives at another provider's redirect URI never reaches that provider.
func TestMixUpIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string][]string{
		"with iss":                nil,
		"without iss":             {"iss", ""},
		"with the evil one's iss": {"iss", w.other.Issuer()},
	} {
		b := w.browser()
		callback := with(b.away(""), change...)
		callback.Path = "/bff/callback/other"
		before := w.stands()
		got := b.back(callback)
		w.refuses(b, before, got, problem.InvalidResponse, "provider")
		if w.other.Count(odd.Token) != 0 {
			t.Errorf("%s: the honest code reached the evil token endpoint", name)
		}
	}
	b := w.browser()
	if a := b.ask(b.get(w.app + "/bff/callback/nobody?code=x&state=y")); a.Err != login.ErrUnknownProvider.Error() {
		t.Errorf("a provider that is not configured came to %+v", a)
	}
}

// CB9: an error is believed when state and iss match, and only then.
func TestErrorResponses(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	open := b.away("returnUrl=/own")
	before := w.stands()
	unknown := w.app + "/bff/callback/main?error=access_denied&state=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if a := b.ask(b.get(unknown)); a.Kind != problem.AttemptNotFound || a.Code != "" {
		t.Errorf("an error out of nowhere came to %+v", a)
	}
	if a := b.ask(b.get(w.app + "/bff/callback/main?error=access_denied")); a.Kind != problem.InvalidResponse {
		t.Errorf("an error without state came to %+v", a)
	}
	if w.stands() != before {
		t.Error("an error out of nowhere had an effect")
	}
	if a := b.back(open); a.Kind != "" {
		t.Errorf("the open attempt came to %+v", a)
	}
	for code, kind := range map[string]problem.Code{
		"access_denied": problem.AccessDenied, "login_required": problem.ProviderRefused, "interaction_required": problem.ProviderRefused,
		"invalid_request": problem.ProviderRefused, "made_up": problem.ProviderRefused,
		"server_error": problem.ProviderUnreachable, "temporarily_unavailable": problem.ProviderUnreachable,
		"unauthorized_client": problem.ProviderMisconfigured, "invalid_scope": problem.ProviderMisconfigured,
	} {
		callback := with(b.away("returnUrl=/orders"), "code", "", "error", code, "error_description", "why")
		before := w.stands()
		got := b.back(callback)
		w.refuses(b, before, got, kind, code)
		if got.Description != "why" || got.ReturnURL != "/orders" {
			t.Errorf("%s came to %+v", code, got)
		}
	}
	callback := with(b.away(""), "code", "", "error", "access_denied", "iss", "https://e.test")
	before = w.stands()
	w.refuses(b, before, b.back(callback), problem.InvalidResponse, "iss")
}

// CB10, LG3: what comes as error text is kept short and harmless.
func TestErrorTextIsBounded(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	nasty := "<script>alert(1)</script>\u202e\r\nlevel=ERROR msg=forged\x00\xff" + strings.Repeat("x", 30_000)
	got := b.back(with(b.away(""), "code", "", "error", nasty, "error_description", nasty, "error_uri", "https://e.test"))
	for _, s := range []string{got.Code, got.Description} {
		if len(s) > 200 || strings.ContainsAny(s, "\r\n\x00\u202e") || !strings.HasPrefix(s, "<script>") {
			t.Errorf("text = %q", s)
		}
	}
	if strings.Contains(w.logs.String(), "\nlevel=ERROR msg=forged") {
		t.Error("the log has a line that nobody logged")
	}
}

// CB11: over the wire, with the three parts of a refusal.
func TestMalformedResponsesAreRefused(t *testing.T) {
	w := newWorld(t)
	for spoil, code := range map[string]string{
		"&code=x":                          "repeated code",
		"&iss=x":                           "repeated iss",
		"&error=x":                         "code with error",
		"&session_state=a&session_state=b": "repeated session_state",
	} {
		b := w.browser()
		callback := b.away("")
		callback.RawQuery += spoil
		before := w.stands()
		w.refuses(b, before, b.back(callback), problem.InvalidResponse, code)
	}
	b := w.browser()
	callback := b.away("")
	callback.RawQuery += "&state=x"
	before := w.stands()
	w.refuses(b, before, b.back(callback), problem.InvalidResponse, "state")
	callback = with(b.away(""), "code", strings.Repeat("c", 20_000))
	before = w.stands()
	w.refuses(b, before, b.back(callback), problem.InvalidResponse, "oversized code")
	callback = with(b.away(""), "code", "")
	before = w.stands()
	w.refuses(b, before, b.back(callback), problem.InvalidResponse, "no code")
}
