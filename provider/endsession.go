package provider

import (
	"context"
	"fmt"
	"net/url"

	"github.com/cloakroom/cloakroom/secret"
)

// maxHint is the largest ID token that goes into a URL: front ends answer 414 at 8 KiB (LO3).
const maxHint = 4 << 10

// An EndSessionRequest is what a logout tells the provider.
type EndSessionRequest struct {
	IDTokenHint secret.Value // the session's last ID token, expired or not; may be empty
	LogoutHint  string       // names the user where there is no ID token, or too large a one; may be empty
	State       string       // comes back to the post-logout redirect URI; may be empty
}

// EndSessionURL is where the browser goes to log out at the provider (RP-Initiated Logout §2), or ""
// when the provider has no such place. It may hold an ID token: never log it.
func (p *Provider) EndSessionURL(ctx context.Context, r EndSessionRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err != nil || m.EndSessionEndpoint == "" {
		return "", err
	}
	u, err := url.Parse(m.EndSessionEndpoint)
	if err != nil {
		return "", fmt.Errorf("provider %q: end_session_endpoint: %w", p.config.ID, ErrMisconfigured)
	}
	q := u.Query() // the endpoint's own query stays
	q.Set("client_id", p.config.ClientID)
	if hint := r.IDTokenHint.Reveal(); hint != "" && len(hint) <= maxHint {
		q.Set("id_token_hint", hint)
	} else if r.LogoutHint != "" {
		q.Set("logout_hint", r.LogoutHint)
	}
	if p.config.PostLogoutRedirectURI != "" {
		q.Set("post_logout_redirect_uri", p.config.PostLogoutRedirectURI)
		if r.State != "" {
			q.Set("state", r.State)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
