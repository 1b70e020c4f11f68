package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
)

// Exchange redeems a code at the token endpoint, in exactly one request: a code that was sent is
// used up, whatever the answer (RFC 6749 §4.1.2, CB14). The Scope of the response is never empty.
//
// Anybody can make this service send a code that they made up. Codes therefore have slots,
// connections and a circuit breaker of their own, so that they never hold up a renewal. After an
// answer with Retry-After no code is sent until that time is over. Other failures hold no code
// back, since the cause may be a code that a stranger made up.
//
// The error is an *UnreachableError, an *OAuthError (ErrInvalidGrant, ErrMisconfigured or neither),
// an *InvalidResponseError, or that of Metadata.
func (p *Provider) Exchange(
	ctx context.Context, code, verifier secret.Value,
) (*TokenResponse, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code.Reveal()},
		"code_verifier": {verifier.Reveal()},
		"redirect_uri":  {p.config.RedirectURI}, // byte for byte that of the authorization request (CB15)
	}
	t, err := p.logins.inSlot(ctx, func() (*TokenResponse, error) {
		if err := p.logins.blocked(); err != nil {
			return nil, err
		}
		return p.sendCode(ctx, m, form)
	})
	if err == nil && t.Scope == "" {
		t.Scope = strings.Join(p.scopes(m), " ") // RFC 6749 §5.1: absent means as requested
	}
	return t, err
}

// Refresh exchanges a refresh token for new tokens, in one request. It sends none while requests
// are held back after failures: it then returns an *UnreachableError at once. An empty RefreshToken
// in the response means that the old one stays valid, an empty Scope that the scope is unchanged
// (RFC 6749 §6).
//
// Refresh calls ready (nil: none) right before it sends, and returns its error instead of sending:
// while it waited for a slot, the caller may have lost its right to send. Other errors are those of
// Exchange.
//
// It waits twice as long for the answer as other requests do: the old token may be used up once it
// was sent, and then only the answer holds a valid one.
func (p *Provider) Refresh(
	ctx context.Context, refreshToken secret.Value, ready func() error,
) (*TokenResponse, error) {
	return p.requestUnlessOpen(ctx, p.renewals, url.Values{
		"grant_type":    {refreshGrant},
		"refresh_token": {refreshToken.Reveal()},
	}, ready)
}

const refreshGrant = "refresh_token"

// ClientCredentials requests an access token for this service itself (RFC 6749 §4.4). A refresh
// token that comes with it is dropped (§4.4.3). It fails fast as Refresh does, but has slots and a
// circuit breaker of its own, since visitors can cause these requests. Errors are those of
// Exchange.
func (p *Provider) ClientCredentials(ctx context.Context, scopes []string) (*TokenResponse, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	t, err := p.requestUnlessOpen(ctx, p.clients, form, nil)
	if err != nil {
		return nil, err
	}
	t.RefreshToken, t.IDToken = secret.Value{}, secret.Value{}
	if t.Scope == "" {
		t.Scope = form.Get("scope")
	}
	return t, nil
}

// requestUnlessOpen sends nothing while the bulkhead's circuit breaker is open. It checks the
// breaker again once it has a slot: requests that waited for one must not all go to a provider that
// has failed meanwhile.
func (p *Provider) requestUnlessOpen(
	ctx context.Context, b *bulkhead, form url.Values, ready func() error,
) (*TokenResponse, error) {
	if err := b.blocked(); err != nil {
		return nil, err
	}
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	return b.inSlot(ctx, func() (*TokenResponse, error) {
		if err := b.enter(); err != nil {
			return nil, err
		}
		if ready != nil {
			if err := ready(); err != nil {
				b.breaker.abandon()
				return nil, err
			}
		}
		return p.sendGrant(ctx, b, m, form)
	})
}

// RefreshBlocked returns the *UnreachableError that Refresh would return without sending, while
// renewals are held back after failures; nil if they are not. It does not wait.
func (p *Provider) RefreshBlocked() error { return p.renewals.blocked() }

// ClientCredentialsBlocked is RefreshBlocked for ClientCredentials.
func (p *Provider) ClientCredentialsBlocked() error { return p.clients.blocked() }

// sendGrant sends one token request and reports the outcome to the bulkhead's circuit breaker.
func (p *Provider) sendGrant(
	ctx context.Context, b *bulkhead, m *Metadata, form url.Values,
) (*TokenResponse, error) {
	number := b.breaker.begin()
	t, err := p.postGrant(ctx, b.client, m, form)
	var u *UnreachableError
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // by the caller; a deadline counts as a failure
		b.breaker.abandon()
	case errors.As(err, &u):
		b.breaker.fail(number, u.RetryAfter)
	default:
		b.breaker.succeed(number)
	}
	return t, err
}

// sendCode is sendGrant for a code. Only Retry-After holds back other codes.
func (p *Provider) sendCode(
	ctx context.Context, m *Metadata, form url.Values,
) (*TokenResponse, error) {
	t, err := p.postGrant(ctx, p.logins.client, m, form)
	if u := new(UnreachableError); errors.As(err, &u) {
		p.logins.breaker.holdBack(u.RetryAfter)
	}
	return t, err
}

func (p *Provider) postGrant(
	ctx context.Context, by *caller, m *Metadata, form url.Values,
) (*TokenResponse, error) {
	timeout := p.client.timeout
	if form.Get("grant_type") == refreshGrant {
		timeout *= 2
	}
	asked := time.Now()
	a, sent, err := p.postForm(ctx, by, endpointToken, m.TokenEndpoint, form, timeout)
	if err != nil {
		return nil, err
	}
	c, err := jose.ParseObject(a.body)
	switch {
	case a.status == http.StatusOK && err != nil:
		// This is a captive portal, or a proxy's own page. It says nothing about the grant (TE5).
		return nil, p.client.unreachable(endpointToken, "the answer is not JSON", nil)
	case a.status == http.StatusOK && !c.Has("error"):
		return p.readTokenResponse(c, asked)
	}
	return nil, p.refusal(endpointToken, a, c, sent)
}

// postForm sends a form with client authentication, as every request of this client to the token
// and revocation endpoints needs it (LS2). sent are the secrets in it, which no message may repeat.
func (p *Provider) postForm(
	ctx context.Context, by *caller, endpoint, to string, form url.Values, timeout time.Duration,
) (a *answer, sent []string, err error) {
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Accept":       {"application/json"},
	}
	if err := p.auth(ctx, p, form, header); err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("provider %q: %s endpoint: %w", p.config.ID, endpoint, ErrMisconfigured)
	}
	r.Header = header
	a, err = by.send(ctx, endpoint, r, timeout)
	return a, p.secretsIn(form, header), err
}

// secretsIn returns the secrets in a request.
func (p *Provider) secretsIn(form url.Values, header http.Header) []string {
	basic := strings.TrimPrefix(header.Get("Authorization"), "Basic ")
	sent := []string{p.config.ClientSecret.Reveal(), basic}
	for _, name := range []string{"code", "code_verifier", "refresh_token", "token", "client_assertion"} {
		sent = append(sent, form.Get(name))
	}
	return sent
}
