package odd_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const redirectURI = "https://app.example.com/callback"

// start is a valid authorization URL of the client.
func start(p *odd.Provider, more ...string) string {
	sum := sha256.Sum256([]byte("verifier"))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"cloakroom"}, "redirect_uri": {redirectURI},
		"scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return p.URL(odd.Authorize) + "?" + q.Encode()
}

// grant sends a token request and reads the answer.
func grant(t *testing.T, p *odd.Provider, pairs ...string) (int, odd.Claims) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, p.URL(odd.Token), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(p.Client.ID, p.Client.Secret)
	resp, err := p.Server.Client().Do(r)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var answer odd.Claims
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func logIn(t *testing.T, p *odd.Provider) odd.Claims {
	t.Helper()
	code := p.Login(start(p)).Query().Get("code")
	status, answer := redeem(t, p, code, redirectURI, "verifier")
	if status != http.StatusOK {
		t.Fatalf("login: %d %v", status, answer)
	}
	return answer
}

func redeem(t *testing.T, p *odd.Provider, code, redirectURI, verifier string) (int, odd.Claims) {
	t.Helper()
	return grant(t, p, "grant_type", "authorization_code", "code", code,
		"redirect_uri", redirectURI, "code_verifier", verifier)
}

func renew(t *testing.T, p *odd.Provider, refreshToken any) (int, odd.Claims) {
	t.Helper()
	s, _ := refreshToken.(string)
	return grant(t, p, "grant_type", "refresh_token", "refresh_token", s)
}

func TestCodesWorkOnceAndForTheirVerifierOnly(t *testing.T) {
	p := odd.New(t)
	code := p.Login(start(p)).Query().Get("code")
	for _, bad := range [][2]string{{redirectURI, "other"}, {redirectURI, "verifier"}} {
		status, answer := redeem(t, p, code, bad[0], bad[1])
		if status != 400 || answer["error"] != "invalid_grant" {
			t.Errorf("verifier %q: %d %v", bad[1], status, answer)
		}
	}
	if status, _ := grant(t, p, "grant_type", "password"); status != 400 {
		t.Errorf("password grant: %d", status)
	}
}

func TestReuseOfARefreshTokenEndsItsFamily(t *testing.T) {
	p := odd.New(t)
	first := logIn(t, p)["refresh_token"]
	status, answer := renew(t, p, first)
	second := answer["refresh_token"]
	if live := p.LiveRefreshTokens(); status != 200 || len(live) != 1 || live[0] != second {
		t.Fatalf("after a renewal: %d, live %v, want %v", status, live, second)
	}
	if status, _ := renew(t, p, first); status != 400 {
		t.Errorf("reuse: %d, want 400", status)
	}
	if status, _ := renew(t, p, second); status != 400 || len(p.LiveRefreshTokens()) != 0 {
		t.Errorf("the newer token after reuse: %d, want 400", status)
	}
	if got := p.ReusedRefreshTokens(); len(got) != 1 || got[0] != first {
		t.Errorf("reused = %v, want the first", got)
	}
	if got := p.Grants("refresh_token"); len(got) != 1 || got[0].RefreshToken != first || got[0].Issued != second {
		t.Errorf("grants = %+v", got)
	}
	if p.AccessTokenLives(answer["access_token"].(string)) {
		t.Error("the access token outlived its family")
	}
}

func TestRotationRefreshTokensAndLifeCanBeSet(t *testing.T) {
	p := odd.New(t)
	p.SetRotation(false)
	p.SetTokenLife(2 * time.Second)
	login := logIn(t, p)
	if login["expires_in"] != 2.0 {
		t.Errorf("expires_in = %v, want 2", login["expires_in"])
	}
	for range 2 {
		if status, answer := renew(t, p, login["refresh_token"]); status != 200 || answer["refresh_token"] != nil {
			t.Errorf("renewal without rotation: %d %v", status, answer)
		}
	}
	p.SetRefreshTokens(false)
	if got := logIn(t, p)["refresh_token"]; got != nil {
		t.Errorf("refresh token = %v, want none", got)
	}
}

func TestALostAnswerHasHappened(t *testing.T) {
	p := odd.New(t)
	token := logIn(t, p)["refresh_token"]
	undo := p.Intercept(odd.Token, odd.DropAnswer())
	if status, _ := renew(t, p, token); status != 0 {
		t.Errorf("status = %d, want none", status)
	}
	undo()
	if live := p.LiveRefreshTokens(); len(live) != 1 || live[0] == token {
		t.Errorf("live = %v, want the one that was lost", live)
	}
}

func TestUsersAndRefusalsAreScripted(t *testing.T) {
	now := time.Now().Add(time.Hour)
	p := odd.New(t, odd.WithClock(func() time.Time { return now }))
	p.SetUser(odd.Claims{"sub": "bob"})
	idToken := logIn(t, p)["id_token"].(string)
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	var claims odd.Claims
	if err != nil || json.Unmarshal(body, &claims) != nil || claims["sub"] != "bob" || claims["iat"] != float64(now.Unix()) {
		t.Errorf("claims = %s", body)
	}
	p.OnAuthorize(func(_, answer url.Values) { answer.Set("error", "access_denied") })
	back := p.Login(start(p))
	if q := back.Query(); q.Get("error") != "access_denied" || q.Has("code") || q.Get("state") != "s" || q.Get("iss") != p.Issuer() {
		t.Errorf("refusal = %s", back)
	}
}

func TestFormPostAndLogoutComeBack(t *testing.T) {
	p := odd.New(t)
	resp, err := p.Server.Client().Get(start(p, "response_mode", "form_post"))
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !strings.Contains(string(page), `action="`+redirectURI+`"`) || !strings.Contains(string(page), `name="code"`) {
		t.Errorf("page = %s", page)
	}
	back := p.Login(p.URL(odd.EndSession) + "?state=x&post_logout_redirect_uri=" + url.QueryEscape("https://app.example.com/out"))
	if back.String() != "https://app.example.com/out?state=x" {
		t.Errorf("logout comes back to %s", back)
	}
}

func TestDelayAndDownAreTakenBack(t *testing.T) {
	p := odd.New(t)
	up := p.SetDown()
	if status, _ := renew(t, p, "rt"); status != 0 {
		t.Errorf("status while down = %d", status)
	}
	up()
	p.Intercept(odd.Token, odd.Next(1, odd.Delay(20*time.Millisecond)))
	began := time.Now()
	if status, _ := renew(t, p, "rt"); status != 400 || time.Since(began) < 20*time.Millisecond {
		t.Errorf("status = %d after %v", status, time.Since(began))
	}
	var seen []string
	for _, r := range p.Requests("") {
		seen = append(seen, r.Endpoint)
	}
	if !slices.Equal(seen, []string{odd.Token, odd.Token}) {
		t.Errorf("requests = %v", seen)
	}
}
