package odd

import (
	"maps"
	"net/url"
	"time"
)

// hooks alter what the provider is about to say; nil ones leave it.
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

// OnDiscovery alters the metadata document each time it is asked for. A later call replaces an earlier one, nil
// takes it away; so it is with every On… function.
func (p *Provider) OnDiscovery(f func(doc Claims)) { p.set(func(h *hooks) { h.discovery = f }) }

// OnAuthorize alters the parameters of the authorization response, given those of the request. Setting
// "error" makes it a refusal.
func (p *Provider) OnAuthorize(f func(request, answer url.Values)) {
	p.set(func(h *hooks) { h.authorize = f })
}

// OnClaims alters the claims of ID tokens; grant is authorization_code or refresh_token.
func (p *Provider) OnClaims(f func(grant string, claims Claims)) {
	p.set(func(h *hooks) { h.claims = f })
}

// OnHeader alters the JOSE header of ID tokens. The signature is made with the key of its kid, or of its alg.
func (p *Provider) OnHeader(f func(header Claims)) { p.set(func(h *hooks) { h.header = f }) }

// OnSign makes ID tokens itself, from the header and claims that the other hooks left.
func (p *Provider) OnSign(f func(header, claims Claims) string) { p.set(func(h *hooks) { h.sign = f }) }

// OnToken alters the token endpoint's success answers. The tokens have been issued by then.
func (p *Provider) OnToken(f func(form url.Values, answer Claims)) {
	p.set(func(h *hooks) { h.token = f })
}

// OnUserinfo alters userinfo's claims.
func (p *Provider) OnUserinfo(f func(claims Claims)) { p.set(func(h *hooks) { h.userinfo = f }) }

// SetUser says who logs in from now on: the claims of ID token and userinfo, "sub" among them.
func (p *Provider) SetUser(claims Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user = maps.Clone(claims)
}

// SetTokenLife sets expires_in of the access tokens issued from now on; 5 min at first.
func (p *Provider) SetTokenLife(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = d
}

// SetRotation says whether a refresh token is replaced at each use, which it is at first.
func (p *Provider) SetRotation(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rotate = on
}

// SetRefreshTokens says whether logins get a refresh token, which they do at first.
func (p *Provider) SetRefreshTokens(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issue = on
}
