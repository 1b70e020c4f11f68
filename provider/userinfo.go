package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

// Userinfo asks for the claims about subject, the sub of the ID token (OIDC Core §5.3). It returns
// one JSON object, or nil where the provider has no such endpoint. The error is an *InvalidTokenError
// when the answer is about someone else or not signed as it should be, an *OAuthError when the access
// token was refused, an *UnreachableError, or that of Metadata.
func (p *Provider) Userinfo(ctx context.Context, accessToken secret.Value, subject string) (json.RawMessage, error) {
	m, err := p.Metadata(ctx)
	if err != nil || m.UserinfoEndpoint == "" {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("provider %q: userinfo endpoint: %w", p.config.ID, ErrMisconfigured)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken.Reveal()) // RFC 6750 §2.1 and nowhere else (MD11)
	r.Header.Set("Accept", "application/json, application/jwt")
	a, err := p.client.send(ctx, endpointUserinfo, r, p.client.timeout)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, &OAuthError{Code: bearerError(a)}
	}
	c, err := p.readUserinfo(ctx, a)
	if err != nil {
		return nil, err
	}
	// OIDC Core §5.3.2 (MD9): the answer may be about another user (token substitution).
	if sub, err := c.text("sub"); err != nil || sub == "" || sub != subject {
		return nil, &InvalidTokenError{Rule: "userinfo_sub", Detail: "userinfo is not about the ID token's subject"}
	}
	return c.object(), nil
}

// bearerError is the code for a userinfo request that was refused (RFC 6750 §3.1).
func bearerError(a *answer) string {
	switch a.status {
	case http.StatusUnauthorized:
		return "invalid_token"
	case http.StatusForbidden:
		return "insufficient_scope"
	}
	return "invalid_request"
}

// readUserinfo reads both forms of the answer. A signed one must bear the registered algorithm, iss
// and aud (OIDC Core §5.3.2, MD10).
func (p *Provider) readUserinfo(ctx context.Context, a *answer) (claims, error) {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	body := strings.TrimSpace(string(a.body))
	if media == "application/jwt" {
		c, err := p.verifySigned(ctx, body, tokenKind{
			types: []string{"", "jwt", "userinfo+jwt"}, limit: maxToken, from: &p.keys.own,
		})
		if err == nil && c.has("exp") {
			_, err = p.checkExpiry(c)
		}
		return c, tokenError(err)
	}
	c, err := parseObject([]byte(body))
	if err != nil {
		return nil, p.client.unreachable(endpointUserinfo, "the answer is not JSON", nil)
	}
	return c, nil
}
