package odd

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// A Request is one request as the provider received it, successful or not.
type Request struct {
	Endpoint string
	Method   string
	RawQuery string
	Header   http.Header
	Body     []byte
	Form     url.Values // the query's and a form body's values
	At       time.Time
}

// A Grant is one token request that was answered with tokens.
type Grant struct {
	Type         string // authorization_code, refresh_token or client_credentials
	RefreshToken string // that was sent
	Issued       string // the refresh token that was issued or stayed; "" for none
	AccessToken  string // that was issued
}

// Requests returns the requests to an endpoint so far, or to all endpoints for "".
func (p *Provider) Requests(endpoint string) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Request
	for _, r := range p.requests {
		if endpoint == "" || r.Endpoint == endpoint {
			found = append(found, r)
		}
	}
	return found
}

// Count is the number of requests to an endpoint so far.
func (p *Provider) Count(endpoint string) int { return len(p.Requests(endpoint)) }

// Grants returns the successful token requests, in order; kind "" means all.
func (p *Provider) Grants(kind string) []Grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.grants), func(g Grant) bool { return kind != "" && g.Type != kind })
}

// LiveRefreshTokens returns the refresh tokens that are valid now.
func (p *Provider) LiveRefreshTokens() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var live []string
	for token, r := range p.refresh {
		if !r.spent && !r.family.dead {
			live = append(live, token)
		}
	}
	slices.Sort(live)
	return live
}

// ReusedRefreshTokens returns the spent refresh tokens that were sent again. Each revoked its
// family.
func (p *Provider) ReusedRefreshTokens() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reused)
}

// AccessTokenLives reports whether an access token was issued here and is not revoked. It ignores
// the expiry.
func (p *Provider) AccessTokenLives(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.access[token]
	return f != nil && !f.dead
}

// recorded records each request, and then calls the endpoint's interceptors.
func (p *Provider) recorded(endpoint string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil { // of a request that comes without a wire between
			r.Body = http.NoBody
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		_ = r.ParseForm()
		p.mu.Lock()
		p.requests = append(p.requests, Request{
			Endpoint: endpoint, Method: r.Method, RawQuery: r.URL.RawQuery, Header: r.Header.Clone(),
			Body: body, Form: r.Form, At: p.now(),
		})
		chain := slices.Clone(p.intercepts[endpoint])
		p.mu.Unlock()
		next := serve
		for _, i := range chain {
			inner := next
			next = func(w http.ResponseWriter, r *http.Request) { i(w, r, inner) }
		}
		next(w, r)
	}
}
