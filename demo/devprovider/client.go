package devprovider

import (
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/cloakroom/cloakroom/secret"
)

// A Client is a relying party, or an API that may introspect tokens.
type Client struct {
	ID                     string
	Secret                 secret.Value
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string // "" if the client receives no logout tokens
	// ResourceServer clients may introspect the tokens of every client (RFC 7662). They log nobody
	// in.
	ResourceServer bool
}

// registration is a Client as an op.Client.
type registration struct{ Client }

var _ op.Client = registration{}

func (c registration) GetID() string                       { return c.ID }
func (c registration) RedirectURIs() []string              { return c.Client.RedirectURIs }
func (c registration) PostLogoutRedirectURIs() []string    { return c.Client.PostLogoutRedirectURIs }
func (c registration) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c registration) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c registration) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c registration) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}
}

func (c registration) LoginURL(id string) string           { return "/login?id=" + url.QueryEscape(id) }
func (c registration) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c registration) IDTokenLifetime() time.Duration      { return 10 * time.Minute }
func (c registration) DevMode() bool                       { return true }
func (c registration) ClockSkew() time.Duration            { return 0 }

//lint:ignore ST1003 op.Client names it so.
func (c registration) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (c registration) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// IsScopeAllowed permits the sample API's scope, in addition to OpenID's own.
func (c registration) IsScopeAllowed(scope string) bool { return scope == "api" }

// IDTokenUserinfoClaimsAssertion is false: only userinfo has the claims of profile and email, as in
// OpenID Connect Core §5.4 for the code flow, so that the relying party has to request it.
func (c registration) IDTokenUserinfoClaimsAssertion() bool { return false }
