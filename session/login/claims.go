package login

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// promised are the claims of which at least one is expected for a scope (OIDC Core §5.4). Where the
// ID token has none of them, userinfo is asked.
var promised = map[string][]string{
	"profile": {"name", "preferred_username", "given_name", "family_name", "nickname"},
	"email":   {"email"},
	"address": {"address"},
	"phone":   {"phone_number"},
}

// protocolClaims say something about the token or the act of logging in. Only a signed ID token may.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp",
	"at_hash", "c_hash", "s_hash", "sid", "session_state", "events", "cnf",
}

// A claimSet is a JSON object of claims, the values untouched.
type claimSet map[string]json.RawMessage

func readClaims(object json.RawMessage) (claimSet, error) {
	set := claimSet{}
	if err := json.Unmarshal(object, &set); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	for name := range set {
		if oursToSay(name) {
			delete(set, name)
		}
	}
	return set, nil
}

// oursToSay: names that the app believes because this service says them.
func oursToSay(name string) bool {
	return len(name) >= 4 && strings.EqualFold(name[:4], "bff:")
}

// lacks reports whether something that the granted scopes promise is missing.
func (c claimSet) lacks(scopes []string) bool {
	for _, scope := range scopes {
		names, known := promised[scope]
		if known && !slices.ContainsFunc(names, func(name string) bool { _, ok := c[name]; return ok }) {
			return true
		}
	}
	return false
}

// complete adds what userinfo says on top. It never changes what the ID token says, nor adds a claim
// that only an ID token may make.
func (c claimSet) complete(userinfo claimSet) {
	for name, value := range userinfo {
		if _, taken := c[name]; !taken && !slices.Contains(protocolClaims, name) {
			c[name] = value
		}
	}
}
