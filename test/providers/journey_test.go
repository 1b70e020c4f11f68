package providers

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFromLoginToDeadRefreshToken(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML, accessTokenSecond: 2})
	b := NewBrowser(t)
	if g.user(b) != nil {
		t.Fatal("somebody is logged in before the login")
	}
	g.login(b, "alice")
	u := g.user(b)
	if u["sub"] != "alice" || u["email"] != "alice@example.com" {
		t.Errorf("user = %v, want alice, her email from userinfo", u)
	}
	if st := g.op.State(); st.RefreshTokens != 1 {
		t.Fatalf("the provider has %d live refresh tokens after the login, want 1", st.RefreshTokens)
	}
	first := g.call(b)
	if first.Subject != "alice" {
		t.Errorf("the API saw %q, want alice", first.Subject)
	}

	time.Sleep(2500 * time.Millisecond) // the access token is over
	if second := g.call(b); second.Token.Fingerprint == first.Token.Fingerprint {
		t.Error("the API saw the same access token after it had expired")
	}
	if st := g.op.State(); st.Renewals != 1 || st.RefreshTokens != 1 || len(st.Refused) != 0 {
		t.Errorf("provider = %+v, want one renewal and nothing refused", st)
	}

	page := g.logout(b)
	if page.URL.String() != g.app+"/bye" || page.Status != http.StatusOK {
		t.Errorf("the logout ended at %s with %d, want /bye", page.URL, page.Status)
	}
	if g.user(b) != nil {
		t.Error("still logged in after the logout")
	}
	if a := b.Fetch(http.MethodGet, g.app+"/api/whoami", ""); a.Status != http.StatusUnauthorized {
		t.Errorf("the API answered %d after the logout, want 401", a.Status)
	}
	eventually(t, "the refresh token to be dead at the provider", func() bool { return g.op.State().RefreshTokens == 0 })
	if st := g.op.State(); st.Sessions != 0 {
		t.Errorf("the provider has %d sessions after RP-initiated logout, want 0", st.Sessions)
	}
}

// A hundred calls come after the token has expired. There is one renewal, every call is answered,
// and no spent refresh token is used again, for which the provider would revoke the grant.
func TestStormRenewsOnce(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML, accessTokenSecond: 2})
	b := NewBrowser(t)
	g.login(b, "alice")
	for round := 1; round <= 3; round++ {
		time.Sleep(2200 * time.Millisecond)
		var mu sync.Mutex
		statuses := map[int]int{}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				a := b.Fetch(http.MethodGet, g.app+"/api/whoami", "")
				mu.Lock()
				defer mu.Unlock()
				statuses[a.Status]++
			})
		}
		wg.Wait()
		if statuses[http.StatusOK] != 100 {
			t.Errorf("round %d: answers by status = %v, want 100 times 200", round, statuses)
		}
		if st := g.op.State(); st.Renewals != round || len(st.Refused) != 0 {
			t.Errorf("round %d: provider = %+v, want %d renewals and nothing refused", round, st, round)
		}
	}
}

// The user logs out at the provider. cloakroom learns of it only by the logout token.
func TestBackchannelLogoutEndsTheSession(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML})
	alice, bob := NewBrowser(t), NewBrowser(t)
	g.login(alice, "alice")
	g.login(bob, "bob")

	g.logoutAtProvider(alice)
	if st := g.op.State(); len(st.Backchannel) != 1 || st.Backchannel[0] != "app: accepted" {
		t.Errorf("logout tokens = %q, want one, accepted", st.Backchannel)
	}
	if g.user(alice) != nil {
		t.Error("alice is still logged in")
	}
	if g.user(bob) == nil {
		t.Error("bob was logged out with her")
	}
	eventually(t, "alice's refresh token to be dead", func() bool { return g.op.State().RefreshTokens == 1 })
}

func (g *rig) logoutAtProvider(b *Browser) {
	g.t.Helper()
	page := b.Through(g.op, b.Visit(g.op.Issuer+"/session/end"), "")
	if page.Status != http.StatusOK {
		g.t.Fatalf("logout at the provider = %d: %s", page.Status, page.Body)
	}
}

func TestSecondLoginNeedsNoPasswordAndEndsTheFirstSession(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML})
	b := NewBrowser(t)
	g.login(b, "alice")
	first := g.user(b)["bff:logout_url"]
	g.login(b, "alice")
	if again := g.user(b)["bff:logout_url"]; again == first {
		t.Error("the second login did not start a session of its own")
	}
	// Both sessions share one grant at the provider. Revoking the first one's token would revoke
	// the second's, so the revocation waits until the second session ends.
	g.call(b)
	time.Sleep(3 * time.Second)
	if n := g.op.State().RefreshTokens; n != 2 {
		t.Errorf("live refresh tokens after the second login = %d, want 2: the new session's must not die with the old one's", n)
	}
	g.logout(b)
	eventually(t, "both refresh tokens to be revoked", func() bool { return g.op.State().RefreshTokens == 0 })
}

func TestRefusedLoginSaysSoAndStartsNothing(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML})
	b := NewBrowser(t)
	page := b.Visit(g.app + "/bff/login?prompt=none")
	if page.Status < 400 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || page.URL.Path != "/bff/callback/main" {
		t.Errorf("prompt=none without a login ended at %s with %d", page.URL.Path, page.Status)
	}
	if g.user(b) != nil || g.op.State().RefreshTokens != 0 {
		t.Error("a refused login left something behind")
	}
}

// A logout link of another session does nothing.
func TestForeignLogoutLinkDoesNothing(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML})
	b := NewBrowser(t)
	g.login(b, "alice")
	page := b.Visit(g.app + "/bff/logout?sid=" + url.QueryEscape("someone-else"))
	if page.Status != http.StatusBadRequest || g.user(b) == nil {
		t.Errorf("got %d, logged in: %v; want 400 and to stay logged in", page.Status, g.user(b) != nil)
	}
}

func TestClientRouteNeedsNoUser(t *testing.T) {
	g := newRig(t, rigOptions{providerYAML: secretYAML})
	a := NewBrowser(t).Fetch(http.MethodGet, g.app+"/service/whoami", "")
	if a.Status != http.StatusOK || g.op.State().RefreshTokens != 0 {
		t.Errorf("a call without a user = %d: %s", a.Status, a.Body)
	}
}
