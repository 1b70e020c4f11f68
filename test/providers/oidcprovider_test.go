package providers

import (
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const testSecret = "a client secret of more than thirty-two bytes"

// The other tests rely on the provider being as strict as this test shows.
func TestOIDCProviderRotatesAndPunishesReuse(t *testing.T) {
	const redirect = "http://localhost:1/callback"
	p := StartOIDCProvider(t, OIDCProviderOptions{Clients: []map[string]any{{
		"client_id": "app", "client_secret": testSecret, "redirect_uris": []string{redirect},
		"grant_types": []string{"authorization_code", "refresh_token"},
	}}})
	found, err := oidc.NewProvider(t.Context(), p.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	c := oauth2.Config{
		ClientID: "app", ClientSecret: testSecret, RedirectURL: redirect, Endpoint: found.Endpoint(),
		Scopes: []string{"openid", "offline_access"},
	}
	c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	verifier := oauth2.GenerateVerifier()
	b := NewBrowser(t)
	page := b.Visit(c.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "consent")))
	code := codeFrom(t, b, p, page)
	first, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	renew := func(refreshToken string) (*oauth2.Token, error) {
		return c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: refreshToken}).Token()
	}
	second, err := renew(first.RefreshToken)
	if err != nil || second.RefreshToken == first.RefreshToken {
		t.Fatalf("renewal did not rotate the refresh token: %v", err)
	}
	if st := p.State(); st.RefreshTokens != 1 || st.Renewals != 1 || st.Logins != 1 {
		t.Errorf("state = %+v, want one live refresh token, one renewal, one login", st)
	}
	if _, err := renew(first.RefreshToken); err == nil {
		t.Error("a spent refresh token was accepted")
	}
	if st := p.State(); st.RefreshTokens != 0 || len(st.Refused) != 1 {
		t.Errorf("state after the reuse = %+v, want nothing alive", st)
	}
}

// codeFrom logs in without a server at the redirect URI: the last redirect is read, not followed.
func codeFrom(t *testing.T, b *Browser, p *OIDCProvider, page *Answer) string {
	t.Helper()
	b.client.Transport = stopAtLocalhost{}
	page = b.Through(p, page, "alice")
	u, err := url.Parse(page.Path[len(page.Path)-1])
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("the login ended at %v (%d): %s", page.Path, page.Status, page.Body)
	}
	return u.Query().Get("code")
}
