package odd

import (
	"maps"
	"net/url"
	"time"
)

// hooks modify what the provider is about to send. A nil hook modifies nothing.
type hooks struct {
	discovery func(doc Claims)
	authorize func(request, answer url.Values)
	header    func(header Claims)
	claims    func(grant string, claims Claims)
	sign      func(header, claims Claims) string
	token     func(form url.Values, answer Claims)
	userinfo  func(claims Claims)
}

func (p *Provider) set(change func(h *hooks)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.hooks)
}

func (p *Provider) script() hooks {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hooks
}

// OnDiscovery modifies the metadata document at each request. A later call replaces the hook; nil
// removes it. The same holds for every On… method.
func (p *Provider) OnDiscovery(f func(doc Claims)) { p.set(func(h *hooks) { h.discovery = f }) }

// OnAuthorize modifies the parameters of the authorization response, given those of the request. A
// response with "error" is a refusal.
func (p *Provider) OnAuthorize(f func(request, answer url.Values)) {
	p.set(func(h *hooks) { h.authorize = f })
}

// OnClaims modifies the claims of ID tokens; grant is authorization_code or refresh_token.
func (p *Provider) OnClaims(f func(grant string, claims Claims)) {
	p.set(func(h *hooks) { h.claims = f })
}

// OnHeader modifies the JOSE header of ID tokens. The header selects the signing key by kid, or
// else by alg.
func (p *Provider) OnHeader(f func(header Claims)) { p.set(func(h *hooks) { h.header = f }) }

// OnSign makes the ID tokens, from the header and claims after the other hooks.
func (p *Provider) OnSign(f func(header, claims Claims) string) { p.set(func(h *hooks) { h.sign = f }) }

// OnToken modifies successful answers of the token endpoint, after the tokens are issued.
func (p *Provider) OnToken(f func(form url.Values, answer Claims)) {
	p.set(func(h *hooks) { h.token = f })
}

// OnUserinfo modifies the claims of userinfo.
func (p *Provider) OnUserinfo(f func(claims Claims)) { p.set(func(h *hooks) { h.userinfo = f }) }

// SetUser sets the user of logins from now on: the claims of ID token and userinfo, including
// "sub".
func (p *Provider) SetUser(claims Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user = maps.Clone(claims)
}

// SetTokenLife sets expires_in of the access tokens issued from now on. The default is 5 minutes.
func (p *Provider) SetTokenLife(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = d
}

// SetRotation sets whether a refresh token is replaced at each use, which is the default.
func (p *Provider) SetRotation(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rotate = on
}

// SetRefreshTokens sets whether logins get a refresh token, which is the default.
func (p *Provider) SetRefreshTokens(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issue = on
}
