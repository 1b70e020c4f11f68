package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cloakroom/cloakroom/secret"
)

// Revoke has a token revoked (RFC 7009 §2.1); hint is refresh_token or access_token. A token that the
// provider does not know counts as revoked (§2.2). An error is a *RetryableError, or ErrNotRevocable
// (ErrNoRevocationEndpoint among them) when trying again is of no use.
func (p *Provider) Revoke(ctx context.Context, token secret.Value, hint string) error {
	m, err := p.Metadata(ctx)
	if err != nil {
		return retryable(err)
	}
	if m.RevocationEndpoint == "" {
		return ErrNoRevocationEndpoint
	}
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}}
	r, err := p.authenticated(m.RevocationEndpoint, form)
	if err != nil {
		return retryable(err)
	}
	a, err := p.fetch(ctx, "revocation", r)
	switch {
	case err != nil:
		return retryable(err)
	case a.ok():
		return nil
	case a.status == http.StatusTooManyRequests || a.status >= 500 || a.status/100 == 3:
		return retryable(p.transient("revocation", a))
	}
	var b tokenBody
	_ = json.Unmarshal(a.body, &b) // an error without a readable body is judged by its status
	refusal := oauthError(b, form)
	if errors.Is(refusal, ErrMisconfigured) || a.status == http.StatusUnauthorized {
		return retryable(fmt.Errorf("%w: provider %q refuses this client at its revocation endpoint", ErrMisconfigured, p.config.ID))
	}
	return fmt.Errorf("%w: provider %q answered %d: %w", ErrNotRevocable, p.config.ID, a.status, refusal)
}

func retryable(err error) error {
	e := &RetryableError{Err: err}
	if down := new(UnreachableError); errors.As(err, &down) {
		e.RetryAfter = down.RetryAfter
	}
	return e
}
