package devprovider

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// An authRequest is an authorization request on its way from the authorization endpoint through
// the login page to the token endpoint. Once session is set, it is only read.
type authRequest struct {
	id      string
	created time.Time
	req     *oidc.AuthRequest
	session *browserSession // nil until someone has logged in
}

func (a *authRequest) GetID() string                      { return a.id }
func (a *authRequest) GetACR() string                     { return "" }
func (a *authRequest) GetAMR() []string                   { return []string{"pwd"} }
func (a *authRequest) GetAudience() []string              { return []string{a.req.ClientID} }
func (a *authRequest) GetClientID() string                { return a.req.ClientID }
func (a *authRequest) GetNonce() string                   { return a.req.Nonce }
func (a *authRequest) GetRedirectURI() string             { return a.req.RedirectURI }
func (a *authRequest) GetResponseType() oidc.ResponseType { return a.req.ResponseType }
func (a *authRequest) GetResponseMode() oidc.ResponseMode { return a.req.ResponseMode }
func (a *authRequest) GetScopes() []string                { return a.req.Scopes }
func (a *authRequest) GetState() string                   { return a.req.State }
func (a *authRequest) Done() bool                         { return a.session != nil }

func (a *authRequest) GetSubject() string {
	if a.session == nil {
		return ""
	}
	return a.session.subject
}

func (a *authRequest) GetAuthTime() time.Time {
	if a.session == nil {
		return time.Time{}
	}
	return a.session.authTime
}

func (a *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	if a.req.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: a.req.CodeChallenge, Method: a.req.CodeChallengeMethod}
}

// satisfiedBy reports whether the browser's session is enough for this request, by prompt and
// max_age (OpenID Connect Core §3.1.2.1).
func (a *authRequest) satisfiedBy(s *browserSession) bool {
	if s == nil || slices.ContainsFunc(a.req.Prompt, func(p string) bool {
		return p == oidc.PromptLogin || p == oidc.PromptSelectAccount
	}) {
		return false
	}
	return a.req.MaxAge == nil || time.Since(s.authTime) <= time.Duration(*a.req.MaxAge)*time.Second
}

// A refreshRequest is one use of a refresh token. Its scopes are a copy: a request for a narrower
// scope does not narrow the grant (RFC 6749 §6).
type refreshRequest struct {
	family *family
	scopes []string
}

func (r *refreshRequest) GetAMR() []string                 { return []string{"pwd"} }
func (r *refreshRequest) GetAudience() []string            { return []string{r.family.clientID} }
func (r *refreshRequest) GetAuthTime() time.Time           { return r.family.authTime }
func (r *refreshRequest) GetClientID() string              { return r.family.clientID }
func (r *refreshRequest) GetScopes() []string              { return r.scopes }
func (r *refreshRequest) GetSubject() string               { return r.family.subject }
func (r *refreshRequest) SetCurrentScopes(scopes []string) { r.scopes = scopes }

// A clientRequest is a client acting for itself (RFC 6749 §4.4).
type clientRequest struct {
	clientID string
	scopes   []string
}

func (c *clientRequest) GetSubject() string    { return c.clientID }
func (c *clientRequest) GetAudience() []string { return []string{c.clientID} }
func (c *clientRequest) GetScopes() []string   { return c.scopes }
