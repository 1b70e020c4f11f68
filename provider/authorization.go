package provider

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/secret"
)

// callerParams are the authorization request parameters that whoever starts a login may set (LS8).
var callerParams = []string{"prompt", "login_hint", "acr_values", "max_age", "ui_locales"}

// An AuthorizationRequest holds what differs from one login to the next.
type AuthorizationRequest struct {
	State, Nonce string
	Verifier     secret.Value // PKCE code verifier (RFC 7636 §4.1); the URL has its S256 challenge
	// Params may hold prompt, login_hint, acr_values, max_age and ui_locales; others are ignored.
	Params     url.Values
	Outranking []string // names in Params that win over AuthParams, as prompt always does
}

// AuthorizationURL returns the URL that the browser is sent to for a login: the authorization code
// grant with PKCE (always S256, whatever the metadata lists) and no other flow (LS1, LS3). A query
// that the endpoint already has is kept.
//
// It requests offline_access if the provider lists it, unless refresh is off or the provider's
// grant_types_supported lacks refresh_token. OIDC Core §11 then requires prompt=consent, and some
// providers issue no refresh token without it. It is therefore added, unless the caller or
// AuthParams sets prompt; AuthParams {"prompt": ""} removes it for providers that do not need it.
// Keycloak is asked for neither (see isKeycloak).
func (p *Provider) AuthorizationURL(ctx context.Context, r AuthorizationRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err == nil {
		err = p.CheckUserinfo(m) // now, and not after the user has logged in
	}
	if err != nil {
		return "", err
	}
	scopes := p.scopes(m)
	conf := oauth2.Config{
		ClientID:    p.config.ClientID,
		RedirectURL: p.config.RedirectURI,
		Scopes:      scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: m.AuthorizationEndpoint, AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(r.Verifier.Reveal()),
		oauth2.SetAuthURLParam("nonce", r.Nonce),
	}
	if p.config.ResponseMode != "query" {
		options = append(options, oauth2.SetAuthURLParam("response_mode", p.config.ResponseMode))
	}
	for name, value := range p.params(r, slices.Contains(scopes, "offline_access")) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	return conf.AuthCodeURL(r.State, options...), nil
}

// params merges the caller's and the operator's parameters. offline says that offline_access is
// requested.
func (p *Provider) params(r AuthorizationRequest, offline bool) map[string]string {
	all := map[string]string{}
	if offline {
		all["prompt"] = "consent"
	}
	for _, name := range callerParams {
		if v := r.Params.Get(name); v != "" {
			all[name] = v
		}
	}
	maps.Copy(all, p.config.AuthParams)
	// A silent login must stay silent, and a step-up must prompt, whatever AuthParams says.
	for _, name := range append([]string{"prompt"}, r.Outranking...) {
		if v := r.Params.Get(name); v != "" {
			all[name] = v
		}
	}
	return all
}

// scopes returns the scopes that a login requests (LS7).
func (p *Provider) scopes(m *Metadata) []string {
	scopes := slices.Clone(p.config.Scopes)
	const offline = "offline_access"
	if p.config.RefreshOff {
		return slices.DeleteFunc(scopes, func(s string) bool { return s == offline })
	}
	offered := slices.Contains(m.ScopesSupported, offline) && m.RefreshTokens()
	if offered && !slices.Contains(scopes, offline) && !isKeycloak(m) {
		scopes = append(scopes, offline)
	}
	return scopes
}

// isKeycloak recognizes Keycloak by its paths. Keycloak issues a refresh token at every login. With
// offline_access it would start an offline session, which outlives the user's logout everywhere
// else.
func isKeycloak(m *Metadata) bool {
	return strings.Contains(m.TokenEndpoint, "/realms/") &&
		strings.HasSuffix(m.TokenEndpoint, "/protocol/openid-connect/token")
}
