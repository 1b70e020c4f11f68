package provider

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/secret"
)

// An AuthorizationRequest is what differs from login to login.
type AuthorizationRequest struct {
	State, Nonce string
	Verifier     secret.Value // PKCE code verifier (RFC 7636 §4.1); the URL bears its S256 challenge
	Params       url.Values   // prompt, login_hint, acr_values, max_age, ui_locales, already checked
}

// AuthorizationURL is where the browser is sent to log in (RFC 6749 §4.1.1, OIDC Core §3.1.2.1). An
// error is Metadata's.
func (p *Provider) AuthorizationURL(ctx context.Context, r AuthorizationRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return "", err
	}
	c := oauth2.Config{
		ClientID: p.config.ClientID, RedirectURL: p.config.RedirectURI, Scopes: p.scopes(m),
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthorizationEndpoint},
	}
	opts := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", r.Nonce), oauth2.S256ChallengeOption(r.Verifier.Reveal())}
	if p.config.ResponseMode == "form_post" {
		opts = append(opts, oauth2.SetAuthURLParam("response_mode", "form_post"))
	}
	for name, value := range p.params(m, r.Params) {
		opts = append(opts, oauth2.SetAuthURLParam(name, value))
	}
	return c.AuthCodeURL(r.State, opts...), nil
}

// params are the further parameters: the caller's, the operator's over them (but for prompt), and
// the consent that offline_access takes.
func (p *Provider) params(m *Metadata, asked url.Values) map[string]string {
	out := map[string]string{}
	for name := range asked {
		out[name] = asked.Get(name)
	}
	for name, value := range p.config.AuthParams {
		if name == "prompt" && asked.Has("prompt") {
			continue
		}
		out[name] = value
	}
	// OIDC Core §11: without consent a provider ignores offline_access, unless it has reasons not to.
	if _, chosen := out["prompt"]; !chosen && slices.Contains(p.scopes(m), "offline_access") {
		out["prompt"] = "consent"
	}
	for name, value := range out {
		if value == "" {
			delete(out, name)
		}
	}
	return out
}

// scopes are the configured ones, and offline_access where a refresh token takes it: the provider
// lists it, and is not one that gives refresh tokens without.
func (p *Provider) scopes(m *Metadata) []string {
	if p.config.RefreshOff || slices.Contains(p.config.Scopes, "offline_access") || !slices.Contains(m.ScopesSupported, "offline_access") || isKeycloak(m) {
		return p.config.Scopes
	}
	return append(slices.Clone(p.config.Scopes), "offline_access")
}

// isKeycloak knows Keycloak by its paths. It gives a refresh token to every login; offline_access
// makes that an offline session, which outlives the person's logout everywhere else.
func isKeycloak(m *Metadata) bool {
	return strings.Contains(m.TokenEndpoint, "/realms/") && strings.HasSuffix(m.TokenEndpoint, "/protocol/openid-connect/token")
}

// maxHint is how long an id_token_hint may be in a URL; front ends refuse longer ones with 414 (LO3).
const maxHint = 4 << 10

// An EndSessionRequest is what the logout knows.
type EndSessionRequest struct {
	IDTokenHint       secret.Value
	LogoutHint, State string
}

// EndSessionURL is where the browser is sent to log out (OIDC RP-Initiated Logout §2); "" when the
// provider has no such place. The hint is the one token that ever is in a URL, and only there.
func (p *Provider) EndSessionURL(ctx context.Context, r EndSessionRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err != nil || m.EndSessionEndpoint == "" {
		return "", err
	}
	u, err := url.Parse(m.EndSessionEndpoint)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("client_id", p.config.ClientID)
	q.Set("post_logout_redirect_uri", p.config.PostLogoutRedirectURI)
	if r.State != "" {
		q.Set("state", r.State)
	}
	if hint := r.IDTokenHint.Reveal(); hint != "" && len(hint) <= maxHint {
		q.Set("id_token_hint", hint)
	} else if r.LogoutHint != "" {
		q.Set("logout_hint", r.LogoutHint)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
