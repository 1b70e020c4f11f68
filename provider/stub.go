package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

var errStub = errors.New("not built yet")

// Metadata is what the provider publishes about itself (OIDC Discovery §3), verified.
type Metadata struct {
	Issuer, AuthorizationEndpoint, TokenEndpoint, UserinfoEndpoint, JWKSURI, RevocationEndpoint, EndSessionEndpoint string
	ScopesSupported                                                                                                 []string
	IssParameterSupported, BackchannelLogoutSupported                                                               bool
}

// Metadata fetches.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) { return nil, errStub }

// Ready reports whether the metadata is known; it does no I/O.
func (p *Provider) Ready() bool { return false }

// An AuthorizationRequest is what differs from login to login.
type AuthorizationRequest struct {
	State, Nonce string
	Verifier     secret.Value // PKCE code verifier (RFC 7636 §4.1); the URL bears its S256 challenge
	Params       url.Values   // prompt, login_hint, acr_values, max_age, ui_locales; others are ignored
}

// AuthorizationURL is where the browser is sent to log in.
func (p *Provider) AuthorizationURL(ctx context.Context, r AuthorizationRequest) (string, error) {
	return "", errStub
}

// A TokenResponse is a checked success answer of the token endpoint (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken, RefreshToken, IDToken secret.Value
	TokenType                          string        // as the provider spelled it
	Scope                              string        // as granted
	ExpiresIn                          time.Duration // 5 min when missing
	Received                           time.Time
}

// Exchange redeems a code.
func (p *Provider) Exchange(ctx context.Context, code, verifier secret.Value) (*TokenResponse, error) {
	return nil, errStub
}

// Refresh renews.
func (p *Provider) Refresh(ctx context.Context, refreshToken secret.Value) (*TokenResponse, error) {
	return nil, errStub
}

// ClientCredentials asks for a token of this service's own.
func (p *Provider) ClientCredentials(ctx context.Context, scopes []string) (*TokenResponse, error) {
	return nil, errStub
}

// An Expectation is what the login attempt asked for.
type Expectation struct {
	Nonce          string         // as sent; required
	AccessToken    secret.Value   // for at_hash; zero: not checked
	MaxAge         *time.Duration // max_age as sent; nil: not asked
	AttemptStarted time.Time      // for PromptLogin and max_age=0
	PromptLogin    bool           // prompt=login was sent
	EssentialACR   []string       // acr must be one of these; empty: not asked
}

// An IDToken is a verified ID token.
type IDToken struct {
	Issuer, Subject, SID, AuthorizedParty, Nonce, ACR, SessionState string
	Audience                                                        []string
	IssuedAt, Expiry, AuthTime                                      time.Time
	Claims                                                          json.RawMessage // all of them, as signed
}

// VerifyIDToken checks.
func (p *Provider) VerifyIDToken(ctx context.Context, raw secret.Value, want Expectation) (*IDToken, error) {
	return nil, errStub
}

// Original is what the ID token of the login said, for the checks on a renewed one.
type Original struct {
	Subject, Issuer string
	AuthTime        time.Time // zero: not compared
	Nonce           string    // "": a renewed token may not bear one
	Audience        []string  // nil: checked as at login only
	AuthorizedParty string    // "": checked as at login only
}

// VerifyRefreshedIDToken checks.
func (p *Provider) VerifyRefreshedIDToken(ctx context.Context, raw secret.Value, original *Original) (*IDToken, error) {
	return nil, errStub
}

// Userinfo fetches.
func (p *Provider) Userinfo(ctx context.Context, accessToken secret.Value, subject string) (json.RawMessage, error) {
	return nil, errStub
}

// Revoke revokes.
func (p *Provider) Revoke(ctx context.Context, token secret.Value, hint string) error { return errStub }

// An EndSessionRequest is what the logout knows.
type EndSessionRequest struct {
	IDTokenHint       secret.Value
	LogoutHint, State string
}

// EndSessionURL is where the browser is sent to log out.
func (p *Provider) EndSessionURL(ctx context.Context, r EndSessionRequest) (string, error) {
	return "", errStub
}

// A LogoutToken is a verified logout token.
type LogoutToken struct {
	Issuer, Subject, SID, JTI string
	IssuedAt, Expiry          time.Time
}

// VerifyLogoutToken checks.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	return nil, errStub
}
