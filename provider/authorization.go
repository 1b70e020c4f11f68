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

// callerParams are the parameters that whoever starts a login may choose (LS8).
var callerParams = []string{"prompt", "login_hint", "acr_values", "max_age", "ui_locales"}

// An AuthorizationRequest is what differs from login to login.
type AuthorizationRequest struct {
	State, Nonce string
	Verifier     secret.Value // PKCE code verifier (RFC 7636 §4.1); the URL bears its S256 challenge
	Params       url.Values   // prompt, login_hint, acr_values, max_age, ui_locales; others are ignored
	Outranking   []string     // of Params, beside prompt: names that win over AuthParams
}

// AuthorizationURL is where the browser goes to log in: the code grant with PKCE (S256 whatever the
// metadata says) and nothing else (LS1, LS3). The endpoint's own query stays.
//
// offline_access is asked for when the provider lists it, unless refresh is off or the provider's
// grant_types_supported lacks refresh_token. OIDC Core §11 then
// wants prompt=consent, and some providers issue no refresh token without it, so that is added
// where neither the caller nor AuthParams says anything about prompt; AuthParams {"prompt": ""}
// keeps it out for providers that need none. Keycloak is asked for neither (see isKeycloak).
func (p *Provider) AuthorizationURL(ctx context.Context, r AuthorizationRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err == nil {
		err = p.CheckUserinfo(m) // before anybody logs in for nothing
	}
	if err != nil {
		return "", err
	}
	scopes := p.scopes(m)
	conf := oauth2.Config{
		ClientID:    p.config.ClientID,
		RedirectURL: p.config.RedirectURI,
		Scopes:      scopes,
		Endpoint:    oauth2.Endpoint{AuthURL: m.AuthorizationEndpoint, AuthStyle: oauth2.AuthStyleInHeader},
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

// params puts the caller's and the operator's parameters together.
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
	// A silent login must stay silent and a step-up must ask, whatever the operator's habit is.
	for _, name := range append([]string{"prompt"}, r.Outranking...) {
		if v := r.Params.Get(name); v != "" {
			all[name] = v
		}
	}
	return all
}

// scopes are those that a login asks for (LS7).
func (p *Provider) scopes(m *Metadata) []string {
	scopes := slices.Clone(p.config.Scopes)
	const offline = "offline_access"
	if p.config.RefreshOff {
		return slices.DeleteFunc(scopes, func(s string) bool { return s == offline })
	}
	if slices.Contains(m.ScopesSupported, offline) && m.RefreshTokens() && !slices.Contains(scopes, offline) && !isKeycloak(m) {
		scopes = append(scopes, offline)
	}
	return scopes
}

// isKeycloak knows Keycloak by its paths. It gives a refresh token to every login; offline_access
// makes that an offline session, which outlives the person's logout everywhere else.
func isKeycloak(m *Metadata) bool {
	return strings.Contains(m.TokenEndpoint, "/realms/") && strings.HasSuffix(m.TokenEndpoint, "/protocol/openid-connect/token")
}
