package provider

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

const (
	// defaultExpiresIn is how long an access token counts as valid when the provider does not say
	// (RFC 6749 §5.1 leaves expires_in out by choice), or says nothing sensible.
	defaultExpiresIn = 5 * time.Minute
	maxExpiresIn     = 24 * time.Hour
	maxRest          = 30 * time.Second
)

// A TokenResponse is a checked success answer of the token endpoint (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken, RefreshToken, IDToken secret.Value
	TokenType                          string        // as the provider spelled it
	Scope                              string        // as granted; as asked when the provider does not say
	ExpiresIn                          time.Duration // 5 min when missing, 0, negative or no number; at most 24 h
	Received                           time.Time
}

// Exchange redeems a code, with the verifier of its authorization request. The code is sent exactly
// once, whatever happens: a second time it would be an attack (RFC 6749 §4.1.2).
func (p *Provider) Exchange(ctx context.Context, code, verifier secret.Value) (*TokenResponse, error) {
	t, err := p.requestTokens(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "redirect_uri": {p.config.RedirectURI},
		"code_verifier": {verifier.Reveal()},
	})
	if err == nil && t.Scope == "" {
		t.Scope = strings.Join(p.config.Scopes, " ")
	}
	return t, err
}

// Refresh renews (RFC 6749 §6), asking for the scope that was granted. While the provider is backing
// off from failures it fails at once, with ErrUnreachable.
func (p *Provider) Refresh(ctx context.Context, refreshToken secret.Value) (*TokenResponse, error) {
	if wait := p.resting(); wait > 0 {
		return nil, &UnreachableError{Provider: p.config.ID, Endpoint: "token", Reason: "it failed a moment ago and is let be", RetryAfter: wait}
	}
	t, err := p.requestTokens(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken.Reveal()}})
	p.noteOutcome(err)
	return t, err
}

// ClientCredentials asks for a token of this service's own (RFC 6749 §4.4). A refresh token that
// comes with it is dropped: it must not (§4.4.3).
func (p *Provider) ClientCredentials(ctx context.Context, scopes []string) (*TokenResponse, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	t, err := p.requestTokens(ctx, form)
	if err == nil {
		t.RefreshToken = secret.Value{}
	}
	return t, err
}

// requestTokens is the one place from which the token endpoint is asked.
func (p *Provider) requestTokens(ctx context.Context, form url.Values) (*TokenResponse, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.requests.Acquire(ctx, 1); err != nil {
		return nil, &UnreachableError{Provider: p.config.ID, Endpoint: "token", Reason: "too many token requests are under way", Err: err}
	}
	defer p.requests.Release(1)
	r, err := p.authenticated(m.TokenEndpoint, form)
	if err != nil {
		return nil, err
	}
	a, err := p.fetch(ctx, "token", r)
	if err != nil {
		return nil, err
	}
	return p.readTokens(a, form)
}

// tokenBody is what a token endpoint may answer, good or bad. A wrong type in one member must not
// spoil the others.
type tokenBody struct {
	AccessToken  string          `json:"access_token"`
	RefreshToken string          `json:"refresh_token"`
	IDToken      string          `json:"id_token"`
	TokenType    string          `json:"token_type"`
	Scope        string          `json:"scope"`
	ExpiresIn    json.RawMessage `json:"expires_in"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (p *Provider) readTokens(a *answer, sent url.Values) (*TokenResponse, error) {
	var b tokenBody
	parsed := json.Unmarshal(a.body, &b) == nil
	switch {
	case a.status == http.StatusTooManyRequests || a.status >= 500 || !parsed:
		return nil, p.transient("token", a)
	case b.Error == "temporarily_unavailable" || b.Error == "server_error" || b.Error == "slow_down":
		return nil, p.transient("token", a)
	case b.Error != "":
		return nil, oauthError(b, sent)
	case a.status == http.StatusUnauthorized:
		return nil, &OAuthError{Code: "invalid_client"}
	case !a.ok():
		return nil, p.transient("token", a)
	}
	t := &TokenResponse{
		AccessToken: secret.New(b.AccessToken), RefreshToken: secret.New(b.RefreshToken), IDToken: secret.New(b.IDToken),
		TokenType: b.TokenType, Scope: b.Scope, ExpiresIn: expiresIn(b.ExpiresIn), Received: p.now(),
	}
	switch {
	case b.AccessToken == "" || strings.ContainsFunc(b.AccessToken, notInHeader):
		return nil, &InvalidResponseError{Rule: "access_token", Issued: t}
	case !strings.EqualFold(b.TokenType, "Bearer"): // RFC 6749 §7.1: case-insensitive, and an unknown type must not be used
		return nil, &InvalidResponseError{Rule: "token_type", Issued: t}
	}
	return t, nil
}

// notInHeader finds what would break out of an Authorization header.
func notInHeader(r rune) bool { return r <= ' ' || r >= 0x7f }

// expiresIn reads seconds as a number, a numeric string or a fraction; everything else is the default.
func expiresIn(raw json.RawMessage) time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || !(seconds > 0) {
		return defaultExpiresIn
	}
	if seconds > maxExpiresIn.Seconds() {
		return maxExpiresIn
	}
	return time.Duration(seconds * float64(time.Second))
}

// oauthError makes an error answer fit for logs: bounded, printable, and without anything that was
// sent along with it (LG2).
func oauthError(b tokenBody, sent url.Values) error {
	e := &OAuthError{Code: bounded(b.Error, 64), Description: bounded(b.Description, 200)}
	for _, values := range sent {
		for _, v := range values {
			if len(v) >= 8 && strings.Contains(b.Description, v) {
				e.Description = ""
			}
		}
	}
	for _, token := range []string{b.AccessToken, b.RefreshToken, b.IDToken} {
		if token != "" && strings.Contains(b.Description, token) {
			e.Description = ""
		}
	}
	return e
}

// resting is how long refreshes are to fail fast.
func (p *Provider) resting() time.Duration {
	p.restMu.Lock()
	defer p.restMu.Unlock()
	return p.rest.Sub(p.now())
}

// noteOutcome backs off from a provider that fails, with jitter and longer each time, as long as it
// asks for at least, and forgets that at the first answer.
func (p *Provider) noteOutcome(err error) {
	p.restMu.Lock()
	defer p.restMu.Unlock()
	down := new(UnreachableError)
	if !errors.As(err, &down) {
		p.fails, p.rest = 0, time.Time{}
		return
	}
	if p.fails++; p.fails < 3 && down.RetryAfter == 0 {
		return // one lost answer is no outage
	}
	wait := min(time.Duration(float64(250*time.Millisecond)*float64(int(1)<<min(p.fails, 10))*(0.5+rand.Float64())), maxRest)
	p.rest = p.now().Add(max(wait, down.RetryAfter))
}

func bounded(s string, limit int) string {
	s = printable(s)
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}

// printable makes a text of the provider's one line of visible characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
