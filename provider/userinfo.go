package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/cloakroom/cloakroom/secret"
)

// Userinfo fetches the user's claims (OIDC Core §5.3). They must be about subject, or they are
// another's and the login must fail (§5.3.2). An error is an *InvalidTokenError or ErrUnreachable.
func (p *Provider) Userinfo(ctx context.Context, accessToken secret.Value, subject string) (json.RawMessage, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: userinfo endpoint of provider %q is no URL", ErrMisconfigured, p.config.ID)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken.Reveal())
	r.Header.Set("Accept", "application/json, application/jwt")
	a, err := p.fetch(ctx, "userinfo", r)
	if err != nil {
		return nil, err
	}
	if !a.ok() {
		return nil, p.transient("userinfo", a)
	}
	claims := json.RawMessage(a.body)
	if a.kind == "application/jwt" {
		if claims, err = p.signedUserinfo(ctx, string(a.body)); err != nil {
			return nil, err
		}
	}
	var about struct {
		Subject string `json:"sub"`
	}
	if !uniqueMembers(claims) || json.Unmarshal(claims, &about) != nil {
		return nil, p.transient("userinfo", a)
	}
	if about.Subject != subject {
		return nil, invalid("userinfo.sub", "userinfo is about another user than the ID token")
	}
	return claims, nil
}

// signedUserinfo checks a userinfo answer that is a JWT: signature, and issuer and audience (§5.3.2).
func (p *Provider) signedUserinfo(ctx context.Context, raw string) (json.RawMessage, error) {
	c, payload, err := p.readJWT(raw, "", "JWT", "userinfo+jwt")
	if err != nil {
		return nil, err
	}
	if c.Issuer != p.config.Issuer || !slices.Contains(c.Audience, p.config.ClientID) {
		return nil, invalid("userinfo.iss", "signed userinfo is not from this provider for this client")
	}
	if _, err := (eagerKeys{p.keys}).VerifySignature(ctx, raw); err != nil {
		return nil, signatureError(err)
	}
	return payload, nil
}
