package odd

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// A grantFamily has all tokens of one login.
type grantFamily struct {
	user     Claims
	subject  any // of the last ID token, where a hook may have altered it; userinfo says the same
	sid      string
	nonce    string
	scope    string
	authTime int64
	dead     bool
}

type code struct {
	family      *grantFamily
	redirectURI string
	challenge   string
	used        bool
}

type refreshToken struct {
	family *grantFamily
	spent  bool
}

// newCode issues a code for the current user, in a new session at the provider.
func (p *Provider) newCode(q url.Values) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := "code-" + rand.Text()
	p.codes[c] = &code{
		family: &grantFamily{
			user: maps.Clone(p.user), sid: "sid-" + rand.Text(), nonce: q.Get("nonce"),
			scope: q.Get("scope"), authTime: p.now().Unix(),
		},
		redirectURI: q.Get("redirect_uri"),
		challenge:   q.Get("code_challenge"),
	}
	return c
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	if !p.authenticated(r) {
		w.Header().Set("WWW-Authenticate", "Basic")
		writeJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	kind := r.PostForm.Get("grant_type")
	var family *grantFamily
	switch kind {
	case "authorization_code":
		family = p.redeem(r.PostForm)
	case "refresh_token":
		family = p.renew(r.PostForm)
	case "client_credentials":
		family = &grantFamily{user: Claims{"sub": p.Client.ID}, scope: r.PostForm.Get("scope")}
	default:
		writeJSON(w, http.StatusBadRequest, Claims{"error": "unsupported_grant_type"})
		return
	}
	if family == nil {
		writeJSON(w, http.StatusBadRequest, Claims{"error": "invalid_grant"})
		return
	}
	answer := p.issueTokens(kind, r.PostForm, family)
	if alter := p.script().token; alter != nil {
		alter(r.PostForm, answer)
	}
	writeJSON(w, http.StatusOK, answer)
}

// redeem spends a code. A code that is sent twice revokes the tokens of its first use (RFC 6749
// §4.1.2).
func (p *Provider) redeem(form url.Values) *grantFamily {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.codes[form.Get("code")]
	if c == nil {
		return nil
	}
	if c.used {
		c.family.dead = true
		return nil
	}
	c.used = true
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if c.redirectURI != form.Get("redirect_uri") || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return nil
	}
	return c.family
}

// renew checks a refresh token. A spent one revokes its family (RFC 9700 §4.14.2).
func (p *Provider) renew(form url.Values) *grantFamily {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := form.Get("refresh_token")
	t := p.refresh[sent]
	switch {
	case t == nil || t.family.dead:
		return nil
	case t.spent:
		p.reused = append(p.reused, sent)
		t.family.dead = true
		return nil
	}
	return t.family
}

// issueTokens makes the answer to a grant.
func (p *Provider) issueTokens(kind string, form url.Values, f *grantFamily) Claims {
	p.mu.Lock()
	access := "at-" + rand.Text()
	p.access[access] = f
	sent := form.Get("refresh_token")
	issued := sent
	if kind == "refresh_token" && p.rotate {
		p.refresh[sent].spent = true
		issued = ""
	}
	if kind != "client_credentials" && issued == "" && p.issue {
		issued = "rt-" + rand.Text()
		p.refresh[issued] = &refreshToken{family: f}
	}
	p.grants = append(p.grants, Grant{Type: kind, RefreshToken: sent, Issued: issued, AccessToken: access})
	answer := Claims{
		"access_token": access, "token_type": "Bearer", "expires_in": p.life.Seconds(), "scope": f.scope,
	}
	p.mu.Unlock()
	if issued != "" && issued != sent {
		answer["refresh_token"] = issued
	}
	if kind != "client_credentials" {
		answer["id_token"] = p.idToken(kind, f, access)
	}
	return answer
}

func (p *Provider) idToken(kind string, f *grantFamily, access string) string {
	now := p.now().Unix()
	claims := maps.Clone(f.user)
	maps.Copy(claims, Claims{
		"iss": p.Issuer(), "aud": p.Client.ID, "iat": now, "exp": now + 300, "auth_time": f.authTime,
		"sid": f.sid, "at_hash": HalfHash(p.Client.Alg, access),
	})
	if kind == "authorization_code" && f.nonce != "" {
		claims["nonce"] = f.nonce
	}
	header := p.Header()
	h := p.script()
	if h.claims != nil {
		h.claims(kind, claims)
		p.mu.Lock()
		f.subject = claims["sub"]
		p.mu.Unlock()
	}
	if h.header != nil {
		h.header(header)
	}
	if h.sign != nil {
		return h.sign(header, claims)
	}
	return p.Sign(header, claims)
}

// Header is the JOSE header of the provider's tokens: the client's algorithm, and the kid of the
// first key for it.
func (p *Provider) Header() Claims {
	h := Claims{"alg": p.Client.Alg}
	if k := p.Key("", p.Client.Alg); k != nil {
		h["kid"] = k.ID
	}
	return h
}

// Sign signs with the provider's key that the header selects by kid or alg.
func (p *Provider) Sign(header, claims Claims) string {
	kid, _ := header["kid"].(string)
	alg, _ := header["alg"].(string)
	key := p.Key(kid, alg)
	if strings.HasPrefix(alg, "HS") {
		key = &Key{Secret: []byte(p.Client.Secret)}
	}
	return Sign(key, header, claims)
}

// LogoutToken makes a logout token for the client, without sub and sid: change sets one, and may
// modify or delete any other claim.
func (p *Provider) LogoutToken(change func(header, claims Claims)) string {
	now := p.now().Unix()
	header := p.Header()
	header["typ"] = "logout+jwt"
	claims := Claims{
		"iss": p.Issuer(), "aud": p.Client.ID, "iat": now, "exp": now + 120, "jti": rand.Text(),
		"events": Claims{"http://schemas.openid.net/event/backchannel-logout": Claims{}},
	}
	if change != nil {
		change(header, claims)
	}
	return p.Sign(header, claims)
}

// HalfHash is the hash for at_hash and c_hash (OIDC Core §3.1.3.6).
func HalfHash(alg, token string) string {
	var h hash.Hash
	switch {
	case alg == "EdDSA" || strings.HasSuffix(alg, "512"):
		h = sha512.New()
	case strings.HasSuffix(alg, "384"):
		h = sha512.New384()
	default:
		h = sha256.New()
	}
	h.Write([]byte(token))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
