package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
)

// The values of Config.Userinfo.
const (
	UserinfoAuto     = "auto"     // requested; a login goes on without an answer
	UserinfoOff      = "off"      // never requested
	UserinfoRequired = "required" // requested; without an answer the login fails
)

// userinfoTimeout is how long a login waits for userinfo, including for a free slot. It is short,
// since the ID token has most claims.
const userinfoTimeout = 3 * time.Second

// Userinfo requests the claims about subject, the sub of the ID token (OIDC Core §5.3). It returns
// one JSON object, or nil if the provider has no userinfo endpoint and none is required. It waits
// for 3 s at most, and has slots of its own.
//
// An *jose.InvalidTokenError of the rule jose.RuleUserinfoSub means that the answer is about
// someone else: the login must fail. With any other error there are just no claims to use: another
// *jose.InvalidTokenError (the answer is not signed as it should be), an *OAuthError (the access
// token was refused), an *UnreachableError (no answer in time, or no userinfo in it), or that of
// Metadata.
func (p *Provider) Userinfo(
	ctx context.Context, accessToken secret.Value, subject string,
) (json.RawMessage, error) {
	m, err := p.Metadata(ctx)
	if err == nil {
		err = p.CheckUserinfo(m)
	}
	if err != nil || m.UserinfoEndpoint == "" {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, userinfoTimeout)
	defer cancel()
	if err := p.userinfo.Acquire(ctx, 1); err != nil {
		return nil, p.client.unreachable(endpointUserinfo, "too many userinfo requests are under way", err)
	}
	defer p.userinfo.Release(1)
	a, err := p.askUserinfo(ctx, m, accessToken)
	if err != nil {
		return nil, err
	}
	c, err := p.readUserinfo(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := jose.CheckUserinfoSubject(c, subject); err != nil {
		return nil, err
	}
	return c.JSON(), nil
}

// CheckUserinfo returns an ErrMisconfigured if userinfo is required and m has no endpoint for it.
func (p *Provider) CheckUserinfo(m *Metadata) error {
	if p.config.Userinfo == UserinfoRequired && m.UserinfoEndpoint == "" {
		return fmt.Errorf(
			"provider %q: %w: its metadata has no userinfo_endpoint, and providers.userinfo is required",
			p.config.ID, ErrMisconfigured,
		)
	}
	return nil
}

func (p *Provider) askUserinfo(
	ctx context.Context, m *Metadata, accessToken secret.Value,
) (*answer, error) {
	r, err := http.NewRequest(http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("provider %q: userinfo endpoint: %w", p.config.ID, ErrMisconfigured)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken.Reveal()) // RFC 6750 §2.1; never in a URL (MD11)
	r.Header.Set("Accept", "application/json, application/jwt")
	a, err := p.client.send(ctx, endpointUserinfo, r, userinfoTimeout)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, &OAuthError{Code: bearerError(a)}
	}
	return a, nil
}

// bearerError returns the error code of a userinfo request that was refused (RFC 6750 §3.1).
func bearerError(a *answer) string {
	switch a.status {
	case http.StatusUnauthorized:
		return "invalid_token"
	case http.StatusForbidden:
		return "insufficient_scope"
	}
	return "invalid_request"
}

// readUserinfo reads the answer in either form, JSON or a JWT.
func (p *Provider) readUserinfo(ctx context.Context, a *answer) (jose.Object, error) {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	body := strings.TrimSpace(string(a.body))
	if media == "application/jwt" {
		return p.verifier.Userinfo(ctx, body)
	}
	if !isJSON(media) {
		reason := "the answer's content type is neither JSON nor a JWT"
		return nil, p.client.unreachable(endpointUserinfo, reason, nil)
	}
	c, err := jose.ParseObject([]byte(body))
	if err != nil {
		return nil, p.client.unreachable(endpointUserinfo, "the answer is not a JSON object", nil)
	}
	return c, nil
}

// isJSON reports whether a media type is JSON's (RFC 6839 §3.1), which OIDC Core §5.3.2 requires.
// An answer without a media type is accepted.
func isJSON(media string) bool {
	return media == "" || media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
