package login

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// protocolClaims say something about the token or the act of logging in. Only a signed ID token may.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp",
	"at_hash", "c_hash", "s_hash", "sid", "session_state", "session_expiry", "events", "cnf", "typ",
	"act", "may_act", "vot", "vtm",
}

// isProtocolClaim ignores case, as some who read claims do.
func isProtocolClaim(name string) bool {
	return slices.ContainsFunc(protocolClaims, func(p string) bool { return strings.EqualFold(p, name) })
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

// complete adds what userinfo says on top. It never changes what the ID token says, nor adds a claim
// that only an ID token may make. That an address was verified is only taken over with the address itself.
func (c claimSet) complete(userinfo claimSet) {
	_, hasEmail := c["email"]
	_, hasPhone := c["phone_number"]
	for name, value := range userinfo {
		switch _, taken := c[name]; {
		case taken, isProtocolClaim(name), strings.HasPrefix(name, "_claim_"):
		case name == "email_verified" && hasEmail && !c.same("email", userinfo):
		case name == "phone_number_verified" && hasPhone && !c.same("phone_number", userinfo):
		default:
			c[name] = value
		}
	}
}

// same reports whether two sets have one text by this name.
func (c claimSet) same(name string, other claimSet) bool {
	var one, two string
	return json.Unmarshal(c[name], &one) == nil && json.Unmarshal(other[name], &two) == nil && one == two
}
