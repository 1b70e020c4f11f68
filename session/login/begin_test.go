package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// LS1, LS3, LS4, LS6: the authorization request is the code grant with S256, state and nonce, and
// its redirect URI is the configured one whatever the request says.
func TestAuthorizationRequest(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	r := b.get(w.app + "/bff/login?provider=main&returnUrl=/orders%3Fid%3D1&login_hint=a%26scope%3Dadmin&prompt=login&max_age=60")
	r.Header.Set("X-Forwarded-Host", "evil.test")
	r.Header.Set("Forwarded", "host=evil.test")
	r.Host = "evil.test"
	to, err := url.Parse(b.ask(r).To)
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "redirect_uri": w.app + "/bff/callback/main",
		"client_id": w.op.Client.ID, "login_hint": "a&scope=admin", "prompt": "login", "max_age": "60",
	} {
		if got := q[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q once", name, got, want)
		}
	}
	if strings.Contains(q.Get("scope"), "admin") || len(q.Get("state")) < 22 ||
		len(q.Get("nonce")) < 22 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("authorization URL = %s", to)
	}
	if strings.Contains(q.Get("state"), "orders") {
		t.Error("state holds the return URL in the clear") // LS14
	}
}

// LS3: the verifier at the token endpoint is the challenge's, and there is a new one each time.
func TestVerifierFitsTheChallenge(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	seen := map[string]bool{}
	for range 10 {
		b.login()
	}
	authorize, token := w.op.Requests(odd.Authorize), w.op.Requests(odd.Token)
	for i := range authorize {
		sum := sha256.Sum256([]byte(token[i].Form.Get("code_verifier")))
		challenge := authorize[i].Form.Get("code_challenge")
		if challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || seen[challenge] {
			t.Errorf("login %d: challenge %q", i, challenge)
		}
		seen[challenge] = true
	}
}

// LS10: visitors who start a login leave nothing behind on the server.
func TestStartedLoginsCostNoState(t *testing.T) {
	w := newWorld(t)
	before := w.stands()
	for range 200 {
		w.browser().begin("")
	}
	if after := w.stands(); after != before || len(w.outbox()) != 0 {
		t.Errorf("started logins left %+v, before %+v", after, before)
	}
}

// LS8, LS13: what may not be asked for is refused, without a cookie and without a word to the
// provider.
func TestBadLoginRequestsStartNothing(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for query, want := range map[string]string{
		"provider=nobody":                         login.ErrUnknownProvider.Error(),
		"provider=":                               login.ErrUnknownProvider.Error(),
		"provider=main&provider=other":            "parameter provider is repeated",
		"provider=main&returnUrl=//e.test":        login.ErrInvalidReturnURL.Error(),
		"provider=main&returnUrl=/bff/logout":     login.ErrInvalidReturnURL.Error(),
		"provider=main&returnUrl=/a&returnUrl=/b": "parameter returnUrl is repeated",
		"provider=main&scope=admin":               "parameter scope can't be chosen by a caller",
		"provider=main&prompt=none&prompt=login":  "parameter prompt is repeated",
	} {
		if a := b.ask(b.get(w.app + "/bff/login?" + query)); a.Err != want || a.To != "" {
			t.Errorf("%q came to %+v, want %q", query, a, want)
		}
	}
	if len(b.attempts()) != 0 || w.op.Count("") != 0 {
		t.Errorf("%d attempts were started, the provider saw %d requests", len(b.attempts()), w.op.Count(""))
	}
	b.login()
}

func TestProviderThatIsDownStartsNothing(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	up := w.op.SetDown()
	a := b.ask(b.get(w.app + "/bff/login?provider=main&returnUrl=/orders"))
	if a.Kind != problem.ProviderUnreachable || a.ReturnURL != "/orders" || len(b.attempts()) != 0 {
		t.Errorf("a login at a provider that is down came to %+v and %d attempts", a, len(b.attempts()))
	}
	if got := w.logins("provider_unreachable"); got != 1 {
		t.Errorf("logins counted = %v, want 1", got)
	}
	up()
	if rec := b.ask(b.get(w.app + "/bff/login?provider=other")); rec.To == "" {
		t.Errorf("another provider can't be used either: %+v", rec)
	}
}

// SC1: on http there is no prefix; the proxy strips the same names that are set here.
func TestAttemptCookieIsOneOfTheNamesThatTheProxyStrips(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.begin("")
	stripped := "cloakroom-attempt-"
	if names := b.cookies(); len(names) != 1 || len(b.attempts()) != 1 || !strings.HasPrefix(b.attempts()[0], stripped) {
		t.Errorf("cookies %v, want one that begins with %s", names, stripped)
	}
}

// CB12: a form_post provider is asked for one, and the answer comes by POST.
func TestFormPostResponse(t *testing.T) {
	w := newWorld(t, func(c *provider.Config) { c.ResponseMode = "form_post" })
	b := w.browser()
	to, err := url.Parse(b.begin("returnUrl=/after"))
	if err != nil {
		t.Fatal(err)
	}
	if got := to.Query().Get("response_mode"); got != "form_post" {
		t.Errorf("response_mode = %q", got)
	}
	q := to.Query()
	q.Del("response_mode") // so that the test sees the response; the page's form is the provider's
	to.RawQuery = q.Encode()
	response := w.op.Login(to.String()).Query()
	a := b.ask(b.post(w.app+"/bff/callback/main", response))
	if a.Kind != "" || a.ReturnURL != "/after" || b.record() == nil {
		t.Errorf("the form came to %+v", a)
	}
}
