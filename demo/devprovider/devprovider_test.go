package devprovider_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/demo/devprovider"
	"github.com/cloakroom/cloakroom/secret"
)

const clientSecret = "a secret / with + signs"

// rig is a provider on loopback, with a relying party that uses only its public protocol.
type rig struct {
	t        *testing.T
	provider *devprovider.Provider
	server   *httptest.Server
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
	logouts  chan url.Values // logout tokens that the relying party was sent
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, logouts: make(chan url.Values, 4)}
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ParseForm() == nil && r.Method == http.MethodPost {
			g.logouts <- r.PostForm
		}
	}))
	t.Cleanup(client.Close)
	g.server = httptest.NewUnstartedServer(nil)
	issuer := "http://" + g.server.Listener.Addr().String()
	p, err := devprovider.New(devprovider.Options{
		Issuer:              issuer,
		AccessTokenLifetime: 2 * time.Second,
		Clients: []devprovider.Client{{
			ID: "app", Secret: secret.New(clientSecret),
			RedirectURIs:           []string{"http://localhost:1/callback"},
			PostLogoutRedirectURIs: []string{"http://localhost:1/out"},
			BackchannelLogoutURI:   client.URL + "/backchannel",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.provider, g.server.Config.Handler = p, p
	g.server.Start()
	t.Cleanup(g.server.Close)

	found, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	g.verifier = found.Verifier(&oidc.Config{ClientID: "app"})
	g.config = oauth2.Config{
		ClientID: "app", ClientSecret: clientSecret, Endpoint: found.Endpoint(),
		RedirectURL: "http://localhost:1/callback",
		Scopes:      []string{"openid", "profile", "email", "offline_access"},
	}
	g.config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return g
}

// browser returns a client that follows redirects up to the relying party.
func (g *rig) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Hostname() == "localhost" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

var attemptField = regexp.MustCompile(`name="id" value="([^"]+)"`)

// login logs alice in and returns the callback URL that the browser was sent to.
func (g *rig) login(b *http.Client, nonce, verifier string, extra ...oauth2.AuthCodeOption) *url.URL {
	g.t.Helper()
	options := append([]oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}, extra...)
	resp := g.get(b, g.config.AuthCodeURL("the-state", options...))
	if location, err := resp.Location(); err == nil {
		return location
	}
	field := attemptField.FindStringSubmatch(g.body(resp))
	if field == nil {
		g.t.Fatalf("login page (%s) has no form", resp.Status)
	}
	resp, err := b.PostForm(g.server.URL+"/login",
		url.Values{"id": {field[1]}, "username": {"alice"}, "password": {"wonderland"}})
	if err != nil {
		g.t.Fatal(err)
	}
	g.body(resp)
	location, err := resp.Location()
	if err != nil {
		g.t.Fatalf("after the login: %s, want a redirect", resp.Status)
	}
	return location
}

func (g *rig) tokens() *oauth2.Token {
	g.t.Helper()
	verifier := oauth2.GenerateVerifier()
	back := g.login(g.browser(), rand.Text(), verifier)
	tokens, err := g.config.Exchange(g.t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		g.t.Fatal(err)
	}
	return tokens
}

func (g *rig) renew(refreshToken string) (*oauth2.Token, error) {
	return g.config.TokenSource(g.t.Context(), &oauth2.Token{RefreshToken: refreshToken}).Token()
}

func (g *rig) get(b *http.Client, target string) *http.Response {
	g.t.Helper()
	resp, err := b.Get(target)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func (g *rig) body(resp *http.Response) string {
	g.t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return string(b)
}

func TestCodeFlowGivesVerifiableTokens(t *testing.T) {
	g := newRig(t)
	verifier := oauth2.GenerateVerifier()
	back := g.login(g.browser(), "the-nonce", verifier)
	if got := back.Query().Get("state"); got != "the-state" {
		t.Errorf("state = %q, want the one that was sent", got)
	}
	tokens, err := g.config.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := g.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		SID   string `json:"sid"`
		Email string `json:"email"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "the-nonce" || claims.SID == "" || len(id.Audience) != 1 {
		t.Errorf("ID token: nonce %q, sid %q, audience %v", id.Nonce, claims.SID, id.Audience)
	}
	if claims.Email != "" {
		t.Errorf("email = %q in the ID token, want it from userinfo alone", claims.Email)
	}
	if !strings.HasPrefix(tokens.RefreshToken, devprovider.RefreshTokenPrefix) {
		t.Errorf("the refresh token does not begin with %q", devprovider.RefreshTokenPrefix)
	}
	if strings.Count(tokens.AccessToken, ".") != 2 {
		t.Error("the access token is not a JWT")
	}
	found, err := oidc.NewProvider(t.Context(), g.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	info, err := found.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	if err != nil || info.Email != "alice@example.com" || info.Subject != id.Subject {
		t.Errorf("userinfo = %+v, %v", info, err)
	}
}

func TestCodeWorksOnceAndOnlyWithItsVerifier(t *testing.T) {
	g := newRig(t)
	verifier := oauth2.GenerateVerifier()
	code := g.login(g.browser(), "n", verifier).Query().Get("code")
	if _, err := g.config.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("the code was redeemed with another verifier")
	}
	if _, err := g.config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err == nil {
		t.Error("a code that was tried already was redeemed")
	}
}

func TestRefreshTokenRotatesAndReuseKillsItsFamily(t *testing.T) {
	g := newRig(t)
	first := g.tokens()
	second, err := g.renew(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken {
		t.Fatal("the refresh token was not rotated")
	}
	_, err = g.renew(first.RefreshToken)
	if refused := new(oauth2.RetrieveError); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("using a spent refresh token = %v, want invalid_grant", err)
	}
	if _, err := g.renew(second.RefreshToken); err == nil {
		t.Error("the family outlived a reuse")
	}
	if st := g.provider.Status(); st.Reuses != 1 || st.Renewals != 1 || st.LiveRefreshTokens != 0 {
		t.Errorf("status = %+v, want 1 reuse, 1 renewal, 0 live", st)
	}
}

// Of several concurrent renewals with one token, at most one may succeed.
func TestRenewalsAtTheSameMomentAreReuse(t *testing.T) {
	g := newRig(t)
	first := g.tokens()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = g.renew(first.RefreshToken) }) // the status below shows the outcome
	}
	wg.Wait()
	if st := g.provider.Status(); st.Renewals > 1 || st.Reuses == 0 || st.LiveRefreshTokens != 0 {
		t.Errorf("status = %+v, want at most 1 renewal, some reuse, 0 live", st)
	}
}

func TestRevocationKillsTheRefreshToken(t *testing.T) {
	g := newRig(t)
	tokens := g.tokens()
	form := url.Values{"token": {tokens.RefreshToken}, "token_type_hint": {"refresh_token"}}
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.server.URL+"/revoke", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("app", url.QueryEscape(clientSecret))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = g.body(resp); resp.StatusCode != http.StatusOK {
		t.Fatalf("revocation = %s, want 200", resp.Status)
	}
	if _, err := g.renew(tokens.RefreshToken); err == nil {
		t.Error("a revoked refresh token was accepted")
	}
	if st := g.provider.Status(); st.Revocations != 1 || st.LiveRefreshTokens != 0 {
		t.Errorf("status = %+v, want 1 revocation, 0 live", st)
	}
}

func TestSecondLoginInABrowserNeedsNoPassword(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	g.login(b, "n", oauth2.GenerateVerifier())
	back := g.get(b, g.config.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "none")))
	location, err := back.Location()
	if err != nil || location.Query().Get("code") == "" {
		t.Errorf("prompt=none after a login: %s %v, want a code", back.Status, location)
	}
	again := g.get(b, g.config.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "login")))
	if again.StatusCode != http.StatusOK {
		t.Errorf("prompt=login after a login = %s, want the login page", again.Status)
	}
}

func TestPromptNoneWithoutALoginIsRefused(t *testing.T) {
	g := newRig(t)
	resp := g.get(g.browser(), g.config.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "none")))
	location, err := resp.Location()
	if err != nil || location.Query().Get("error") != "login_required" {
		t.Errorf("got %s %v, want login_required", resp.Status, location)
	}
}

func TestLogoutAtTheProviderTellsItsClients(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	g.login(b, "n", oauth2.GenerateVerifier())
	resp, err := b.PostForm(g.server.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	if page := g.body(resp); !strings.Contains(page, "<code>app</code>: 200 OK") {
		t.Errorf("the page does not show the client's answer:\n%s", page)
	}
	raw := (<-g.logouts).Get("logout_token")
	token, err := g.verifier.Verify(context.Background(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims["sid"] == nil || claims["jti"] == nil || claims["events"] == nil || claims["nonce"] != nil {
		t.Errorf("logout token = %v", claims)
	}
}

func TestRPInitiatedLogoutEndsTheBrowserSessionAndComesBack(t *testing.T) {
	g := newRig(t)
	b, verifier := g.browser(), oauth2.GenerateVerifier()
	code := g.login(b, "n", verifier).Query().Get("code")
	tokens, err := g.config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	q := url.Values{
		"id_token_hint": {raw}, "post_logout_redirect_uri": {"http://localhost:1/out"}, "state": {"s 1"},
	}
	location, err := g.get(b, g.server.URL+"/end_session?"+q.Encode()).Location()
	if err != nil || location.String() != "http://localhost:1/out?state=s+1" {
		t.Errorf("after the logout: %v %v", location, err)
	}
	if st := g.provider.Status(); st.BrowserSessions != 0 || st.LiveRefreshTokens != 1 {
		t.Errorf("status = %+v, want no browser session, and the refresh token still valid", st)
	}
}

func TestEveryPageSaysItIsForDevelopment(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	at := g.server.URL
	for _, target := range []string{at + "/", at + "/logged-out", at + "/login?id=x", g.config.AuthCodeURL("s")} {
		if page := g.body(g.get(b, target)); !strings.Contains(page, "never use it in production") {
			t.Errorf("%s has no banner", target)
		}
	}
}

func TestWrongPasswordStaysOnThePage(t *testing.T) {
	g := newRig(t)
	b := g.browser()
	field := attemptField.FindStringSubmatch(g.body(g.get(b, g.config.AuthCodeURL("s"))))
	resp, err := b.PostForm(g.server.URL+"/login",
		url.Values{"id": {field[1]}, "username": {"alice"}, "password": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	page := g.body(resp)
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(page, "name or password is wrong") {
		t.Errorf("got %s", resp.Status)
	}
}
