package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

func clientAuths() []string {
	return []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth", "none"}
}

// ownParams are the authorization-request parameters that carry a login's checks. Who sets one by
// configuration switches off the check that goes with it. The last three would put a secret into a
// URL (RFC 9700 §4.3.2).
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
	"client_secret", "client_assertion", "code_verifier",
}

func checkAuthParam(name string) *setting.Fault {
	switch {
	case name == "scope" || name == "response_mode":
		return setting.Wrong("can't be set here", "use the provider's own key for it: "+map[string]string{"scope": "scopes", "response_mode": "response_mode"}[name])
	case slices.Contains(ownParams, name):
		return setting.Wrong("can't be set here", "take it out: cloakroom sets it itself, and a login's safety hangs on it")
	}
	return nil
}

func algs() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
	}
}

func checkAlg(s string) *setting.Fault {
	if strings.EqualFold(s, "none") {
		return setting.Wrong("can't be none", "write the algorithm that this client is registered with: an unsigned ID token could be anybody's")
	}
	return setting.Unlisted(s, algs())
}

func (r *reader) checkProvider(c *Config, i int) {
	p := &c.Providers[i]
	here := fmt.Sprintf("providers[%d]", i)
	key := func(name string) string { return here + "." + name }
	if !r.Sound(here) {
		return
	}
	r.need(key("id"), "add id: main, or another short name; it becomes part of the redirect URI")
	r.need(key("issuer"), "add issuer: and what the provider's metadata says under \"issuer\"")
	r.need(key("client_id"), "add client_id: and the name that this client is registered under")
	if p.Name == "" {
		p.Name = p.ID
	}
	for j := range i {
		if r.Sound(key("id")) && c.Providers[j].ID == p.ID {
			r.Report(key("id"), *setting.Wrong(fmt.Sprintf("is that of providers[%d], too", j), "give each provider an id of its own: it tells their redirect URIs apart"))
			break
		}
	}
	r.checkTenants(*p, key)
	r.checkClientAuth(*p, key)
	r.checkScopes(*p, key)
	if p.ResponseMode == "form_post" && c.Server.PublicURL != nil && !c.Secure() {
		r.Report(key("response_mode"), *setting.Wrong("can't be form_post with an http public_url", "write query: the cookie that comes along with the provider's POST needs SameSite=None, which browsers take from https alone"))
	}
}

// checkClientAuth compares the method with the keys that it uses. What it does not use is a fault,
// too: it may be what the operator believes to protect the client.
func (r *reader) checkClientAuth(p Provider, key func(string) string) {
	if !r.well(key("client_auth")) {
		return
	}
	hmac := strings.HasPrefix(p.IDTokenAlg, "HS")
	uses := map[string]bool{
		"client_secret":           strings.HasPrefix(p.ClientAuth, "client_secret_"),
		"client_key_file":         p.ClientAuth == "private_key_jwt" || p.ClientAuth == "tls_client_auth",
		"client_certificate_file": p.ClientAuth == "tls_client_auth",
		"client_key_id":           p.ClientAuth == "private_key_jwt",
		"client_assertion_alg":    p.ClientAuth == "private_key_jwt" || p.ClientAuth == "client_secret_jwt",
	}
	optional := []string{"client_key_id", "client_assertion_alg"}
	if hmac && p.ClientAuth == "none" {
		r.Report(key("id_token_alg"), *setting.Wrong("needs a client secret, and client_auth is none", "write the algorithm that this client is registered with, such as RS256"))
	} else if hmac {
		uses["client_secret"] = true // it signs the ID tokens
	}
	if uses["client_assertion_alg"] && p.ClientAssertionAlg != "" && r.well(key("client_assertion_alg")) &&
		strings.HasPrefix(p.ClientAssertionAlg, "HS") != (p.ClientAuth == "client_secret_jwt") {
		r.Report(key("client_assertion_alg"), *setting.Wrong("does not fit client_auth "+p.ClientAuth, "write HS256, HS384 or HS512 for client_secret_jwt, and one of the others for private_key_jwt"))
	}
	for _, name := range append([]string{"client_secret", "client_key_file", "client_certificate_file"}, optional...) {
		switch {
		case uses[name] && slices.Contains(optional, name):
		case uses[name]:
			r.need(key(name), remedies[name]+"; client_auth is "+p.ClientAuth)
		case r.Given(key(name)):
			r.Report(key(name), *setting.Wrong("is not used with client_auth "+p.ClientAuth, "take it out, or correct client_auth"))
		}
	}
}

// remedies is never written to.
var remedies = map[string]string{
	"client_secret":           "add client_secret: ${CLIENT_SECRET}",
	"client_key_file":         "add client_key_file: and the path of the private key (PEM)",
	"client_certificate_file": "add client_certificate_file: and the path of the certificate (PEM)",
}

func (r *reader) checkScopes(p Provider, key func(string) string) {
	if !r.Given(key("scopes")) || !r.Sound(key("scopes")) {
		return
	}
	if !slices.Contains(p.Scopes, "openid") {
		r.Report(key("scopes"), *setting.Wrong("lacks openid", "add openid: without it there is no ID token (OIDC Core §3.1.2.1)"))
	}
	if i := slices.Index(p.Scopes, "offline_access"); i >= 0 && p.Refresh == "off" {
		r.Report(fmt.Sprintf("%s[%d]", key("scopes"), i), *setting.Wrong("asks for a refresh token, and refresh is off", "take it out, or write refresh: auto"))
	}
}
