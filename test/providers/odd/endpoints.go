package odd

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	doc := Claims{
		"issuer":                                         p.Issuer(),
		"authorization_endpoint":                         p.URL(Authorize),
		"token_endpoint":                                 p.URL(Token),
		"userinfo_endpoint":                              p.URL(Userinfo),
		"jwks_uri":                                       p.URL(JWKS),
		"revocation_endpoint":                            p.URL(Revocation),
		"end_session_endpoint":                           p.URL(EndSession),
		"scopes_supported":                               []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"code_challenge_methods_supported":               []string{"S256"},
		"id_token_signing_alg_values_supported":          []string{"none", "RS256", "ES256", "PS256", "HS256"},
		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
	}
	if alter := p.script().discovery; alter != nil {
		alter(doc)
	}
	writeJSON(w, http.StatusOK, doc)
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	entries := append([]any{}, p.extraKeys...) // first: nonsense must not hide what follows
	for _, k := range p.keys {
		if !k.Hidden && k.Private != nil {
			entries = append(entries, k.JWK())
		}
	}
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, Claims{"keys": entries})
}

// serveAuthorize shows no page: the user agrees at once.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	redirect, err := url.Parse(r.Form.Get("redirect_uri"))
	if err != nil || redirect.Host == "" || r.Form.Get("client_id") != p.Client.ID || r.Form.Get("response_type") != "code" {
		http.Error(w, "odd: no proper authorization request", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {r.Form.Get("state")}, "iss": {p.Issuer()}, "code": {p.newCode(r.Form)}}
	if alter := p.script().authorize; alter != nil {
		alter(r.Form, answer)
	}
	if answer.Get("error") != "" {
		answer.Del("code")
	}
	if r.Form.Get("response_mode") == "form_post" {
		writeForm(w, redirect.String(), answer)
		return
	}
	q := redirect.Query()
	maps.Copy(q, answer)
	redirect.RawQuery = q.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// Login acts as a browser that is redirected to an authorization URL, and returns the URL that the
// provider redirects back to.
func (p *Provider) Login(authorizationURL string) *url.URL {
	p.t.Helper()
	client := &http.Client{
		Transport:     p.Server.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Get(authorizationURL)
	if err != nil {
		p.t.Fatalf("log in at %s: %v", authorizationURL, err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		p.t.Fatalf("log in at %s: status %d: %v", authorizationURL, resp.StatusCode, err)
	}
	return back
}

func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	f := p.access[token]
	live := ok && f != nil && !f.dead
	claims := Claims{}
	if live {
		claims = maps.Clone(f.user)
		if f.subject != nil {
			claims["sub"] = f.subject
		}
	}
	p.mu.Unlock()
	if !live {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if alter := p.script().userinfo; alter != nil {
		alter(claims)
	}
	writeJSON(w, http.StatusOK, claims)
}

// serveRevocation revokes a refresh token with its access tokens (RFC 7009 §2.1).
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
	if !p.authenticated(r) {
		writeJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	token := r.PostForm.Get("token")
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.refresh[token]; t != nil {
		t.family.dead = true
	}
	delete(p.access, token)
	w.WriteHeader(http.StatusOK)
}

func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	back, err := url.Parse(r.Form.Get("post_logout_redirect_uri"))
	if err != nil || back.Host == "" {
		writeJSON(w, http.StatusOK, Claims{"logged_out": true})
		return
	}
	if state := r.Form.Get("state"); state != "" {
		q := back.Query()
		q.Set("state", state)
		back.RawQuery = q.Encode()
	}
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
