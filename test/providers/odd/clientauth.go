package odd

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// authenticated accepts only the client's registered authentication method, and never two methods
// in one request (RFC 6749 §2.3).
func (p *Provider) authenticated(r *http.Request) bool {
	id, password, basic := r.BasicAuth()
	form := r.PostForm
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch p.Client.Auth {
	case "client_secret_basic":
		decodedID, err1 := url.QueryUnescape(id)
		decodedSecret, err2 := url.QueryUnescape(password)
		return basic && err1 == nil && err2 == nil && secret == "" && assertion == "" &&
			decodedID == p.Client.ID && decodedSecret == p.Client.Secret
	case "client_secret_post":
		return !basic && assertion == "" && form.Get("client_id") == p.Client.ID && secret == p.Client.Secret
	case "client_secret_jwt":
		return !basic && secret == "" && p.asserted(assertion, []byte(p.Client.Secret))
	case "private_key_jwt":
		return !basic && secret == "" && p.asserted(assertion, p.Client.PublicKey)
	case "tls_client_auth":
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return false
		}
	}
	return !basic && secret == "" && assertion == "" && form.Get("client_id") == p.Client.ID
}

// asserted checks a client assertion as FAPI 2.0 §5.3.2.1 requires: its only audience is the
// issuer, as a string, and no jti is used twice.
func (p *Provider) asserted(assertion string, key any) bool {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA, jose.PS256})
	if err != nil {
		return false
	}
	var c struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Expiry   int64  `json:"exp"`
		IssuedAt int64  `json:"iat"`
	}
	if token.Claims(key, &c) != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	expiry := time.Unix(c.Expiry, 0)
	good := c.Issuer == p.Client.ID && c.Subject == p.Client.ID && c.Audience == p.Issuer() && c.ID != "" &&
		!p.assertions[c.ID] && c.IssuedAt > 0 && expiry.After(p.now()) && expiry.Before(p.now().Add(5*time.Minute))
	p.assertions[c.ID] = true
	return good
}
