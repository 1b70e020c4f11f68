package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
)

// Revoke tells the provider that a token is no longer needed (RFC 7009 §2.1); hint is
// refresh_token, access_token or "". A nil error means that the token is dead, or was never known
// to the provider (§2.2). A *RetryableError means that it may be alive and that a retry may
// succeed. An ErrNotRevocable means that no retry can; ErrNoRevocationEndpoint is one.
func (p *Provider) Revoke(ctx context.Context, token secret.Value, hint string) error {
	m, err := p.Metadata(ctx)
	if err != nil {
		return retryable(err)
	}
	if m.RevocationEndpoint == "" {
		return fmt.Errorf("provider %q: %w", p.config.ID, ErrNoRevocationEndpoint)
	}
	form := url.Values{"token": {token.Reveal()}}
	if hint != "" {
		form.Set("token_type_hint", hint)
	}
	a, sent, err := p.postForm(
		ctx, p.client, endpointRevocation, m.RevocationEndpoint, form, p.client.timeout,
	)
	if err != nil {
		return retryable(err)
	}
	if a.status == http.StatusOK || a.status == http.StatusNoContent {
		return nil
	}
	c, err := jose.ParseObject(a.body)
	if err != nil {
		c = nil
	}
	refusal := p.refusal(endpointRevocation, a, c, sent)
	var o *OAuthError
	switch {
	case errors.Is(refusal, ErrMisconfigured), errors.Is(refusal, ErrUnreachable) && c.Has("error"):
		return retryable(refusal)
	case errors.As(refusal, &o):
		// unsupported_token_type and every other 4xx (RFC 7009 §2.2.1): a retry would get the same
		// answer.
		return fmt.Errorf("provider %q: %w: %w", p.config.ID, ErrNotRevocable, o)
	}
	return fmt.Errorf("provider %q: %w: status %d", p.config.ID, ErrNotRevocable, a.status)
}

func retryable(err error) error {
	r := &RetryableError{Err: err}
	var u *UnreachableError
	if errors.As(err, &u) {
		r.RetryAfter = u.RetryAfter
	}
	return r
}
