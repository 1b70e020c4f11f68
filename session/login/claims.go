package login

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// protocolClaims are claims about the token or the login itself. Only a signed ID token may make
// them.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp",
	"at_hash", "c_hash", "s_hash", "sid", "session_state", "session_expiry", "events", "cnf", "typ",
	"act", "may_act", "vot", "vtm",
}

// isProtocolClaim ignores case, as some readers of claims do.
func isProtocolClaim(name string) bool {
	return slices.ContainsFunc(protocolClaims, func(p string) bool {
		return strings.EqualFold(p, name)
	})
}

// A claimSet is a JSON object of claims. Their values are kept as they are.
type claimSet map[string]json.RawMessage

func readClaims(object json.RawMessage) (claimSet, error) {
	set := claimSet{}
	if err := json.Unmarshal(object, &set); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	for name := range set {
		if isReserved(name) {
			delete(set, name)
		}
	}
	return set, nil
}

// isReserved reports whether a name is reserved for this service: the app trusts such claims.
func isReserved(name string) bool {
	return len(name) >= 4 && strings.EqualFold(name[:4], "bff:")
}

// complete adds the claims of userinfo. It never changes a claim of the ID token, nor adds one that
// only an ID token may make. It adds email_verified and phone_number_verified only if they are
// about the same address or number.
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

// same reports whether the claim of this name is the same string in both sets.
func (c claimSet) same(name string, other claimSet) bool {
	var one, two string
	return json.Unmarshal(c[name], &one) == nil &&
		json.Unmarshal(other[name], &two) == nil && one == two
}
