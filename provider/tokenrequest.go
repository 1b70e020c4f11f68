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
// spent, whatever came back (RFC 6749 §4.1.2, CB14). The answer's Scope is never empty.
//
// Anybody can have a code sent that they made up, so codes have slots, connections and a memory of failures of
// their own, and nothing that becomes of one holds up a renewal. After an answer with Retry-After no code is sent
// until that is over; other failures keep none back, since a stranger's code may be what failed.
//
// The error is an *UnreachableError, an *OAuthError (ErrInvalidGrant, ErrMisconfigured or neither), an
// *InvalidResponseError, or that of Metadata.
func (p *Provider) Exchange(ctx context.Context, code, verifier secret.Value) (*TokenResponse, error) {
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
		if err := p.logins.resting(); err != nil {
			return nil, err
		}
		return p.sendCode(ctx, m, form)
	})
	if err == nil && t.Scope == "" {
		t.Scope = strings.Join(p.scopes(m), " ") // RFC 6749 §5.1: absent means as asked
	}
	return t, err
}

// Refresh trades a refresh token, in one request, or in none while the provider is being left alone
// after failures: then the error is an *UnreachableError at once. An empty RefreshToken in the
// answer means that the old one stays, an empty Scope that the old one holds (RFC 6749 §6). Errors are
// those of Exchange, and that of ready, which is asked at the last moment before sending: waiting for other
// token requests can take a while, and whoever may send one now may not then. nil: always ready.
//
// It waits twice as long for the answer as other requests do: the token may be spent once it was sent, and
// the answer that is given up holds the only one to follow it.
func (p *Provider) Refresh(ctx context.Context, refreshToken secret.Value, ready func() error) (*TokenResponse, error) {
	return p.requestWhenUp(ctx, p.renewals, url.Values{
		"grant_type":    {refreshGrant},
		"refresh_token": {refreshToken.Reveal()},
	}, ready)
}

const refreshGrant = "refresh_token"

// ClientCredentials asks for an access token of this service's own (RFC 6749 §4.4). Any refresh token
// that comes with it is dropped (§4.4.3). It fails fast as Refresh does, but has slots and a breaker of its own: a visitor
// can cause it. Errors are those of Exchange.
func (p *Provider) ClientCredentials(ctx context.Context, scopes []string) (*TokenResponse, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	t, err := p.requestWhenUp(ctx, p.clients, form, nil)
	if err != nil {
		return nil, err
	}
	t.RefreshToken, t.IDToken = secret.Value{}, secret.Value{}
	if t.Scope == "" {
		t.Scope = form.Get("scope")
	}
	return t, nil
}

// requestWhenUp sends nothing while the bulkhead's breaker is open. It is asked after a slot is free: those who
// waited for one must not all go to a provider that has failed meanwhile.
func (p *Provider) requestWhenUp(ctx context.Context, b *bulkhead, form url.Values, ready func() error) (*TokenResponse, error) {
	if err := b.resting(); err != nil {
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

// Resting is the *UnreachableError that Refresh gives, and sends nothing, while the provider is left alone after
// renewals have failed; nil when it is not. It is quick.
func (p *Provider) Resting() error { return p.renewals.resting() }

// ClientCredentialsResting is Resting for ClientCredentials.
func (p *Provider) ClientCredentialsResting() error { return p.clients.resting() }

// sendGrant sends one token request and tells the bulkhead's breaker how the provider did.
func (p *Provider) sendGrant(ctx context.Context, b *bulkhead, m *Metadata, form url.Values) (*TokenResponse, error) {
	number := b.breaker.begin()
	t, err := p.postGrant(ctx, b.client, m, form)
	var u *UnreachableError
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // the caller's doing; a deadline is the provider's
		b.breaker.abandon()
	case errors.As(err, &u):
		b.breaker.fail(number, u.RetryAfter)
	default:
		b.breaker.succeed(number)
	}
	return t, err
}

// sendCode is sendGrant for a code, of which only Retry-After holds back others.
func (p *Provider) sendCode(ctx context.Context, m *Metadata, form url.Values) (*TokenResponse, error) {
	t, err := p.postGrant(ctx, p.logins.client, m, form)
	if u := new(UnreachableError); errors.As(err, &u) {
		p.logins.breaker.rest(u.RetryAfter)
	}
	return t, err
}

func (p *Provider) postGrant(ctx context.Context, by *caller, m *Metadata, form url.Values) (*TokenResponse, error) {
	within := p.client.timeout
	if form.Get("grant_type") == refreshGrant {
		within *= 2
	}
	asked := time.Now()
	a, sent, err := p.postForm(ctx, by, endpointToken, m.TokenEndpoint, form, within)
	if err != nil {
		return nil, err
	}
	c, err := jose.ParseObject(a.body)
	switch {
	case a.status == http.StatusOK && err != nil:
		// A captive portal, or a proxy's own page: nothing is known (TE5).
		return nil, p.client.unreachable(endpointToken, "the answer is not JSON", nil)
	case a.status == http.StatusOK && !c.Has("error"):
		return p.readTokenResponse(c, asked)
	}
	return nil, p.refusal(endpointToken, a, c, sent)
}

// postForm sends an authenticated form, as every request of this client to the token and revocation
// endpoints is (LS2). sent is what must not come back in a message.
func (p *Provider) postForm(ctx context.Context, by *caller, endpoint, to string, form url.Values, within time.Duration) (*answer, []string, error) {
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
	a, err := by.send(ctx, endpoint, r, within)
	return a, p.secretsIn(form, header), err
}

// secretsIn are the values of a request that are secret.
func (p *Provider) secretsIn(form url.Values, header http.Header) []string {
	sent := []string{p.config.ClientSecret.Reveal(), strings.TrimPrefix(header.Get("Authorization"), "Basic ")}
	for _, name := range []string{"code", "code_verifier", "refresh_token", "token", "client_assertion"} {
		sent = append(sent, form.Get(name))
	}
	return sent
}
