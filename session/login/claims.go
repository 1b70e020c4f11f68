package login

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// promised are the claims by which one sees whether a provider put a scope's claims into the ID token.
var promised = map[string][]string{
	"profile": {"name", "preferred_username", "given_name", "nickname"},
	"email":   {"email"},
	"phone":   {"phone_number"},
	"address": {"address"},
}

// lacksPromised reports whether one of the scopes promises claims of which not one is there.
func lacksPromised(claims json.RawMessage, scopes []string) bool {
	var have map[string]json.RawMessage
	if json.Unmarshal(claims, &have) != nil {
		return false
	}
	return slices.ContainsFunc(scopes, func(s string) bool {
		names, ok := promised[s]
		return ok && !slices.ContainsFunc(names, func(n string) bool { return have[n] != nil })
	})
}

// protocolClaims are what the ID token alone may say: userinfo is not signed for this login, and
// must not change who logged in, when or how (MD12).
var protocolClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "sid", "acr", "amr", "auth_time",
	"at_hash", "c_hash", "s_hash", "session_state", "events", "_claim_names", "_claim_sources",
}

// mergeClaims appends to the ID token's claims those of userinfo that it does not have, and that are
// not the protocol's or ours.
func mergeClaims(idToken, userinfo json.RawMessage) (json.RawMessage, error) {
	var have, more map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(idToken, &have), json.Unmarshal(userinfo, &more)); err != nil {
		return nil, errors.New("userinfo is no JSON object")
	}
	out := strings.TrimSuffix(strings.TrimSpace(string(idToken)), "}")
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if have[name] != nil || slices.Contains(protocolClaims, name) || strings.HasPrefix(name, "bff:") {
			continue
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		if len(have) > 0 {
			out += ","
		}
		out += string(key) + ":" + string(more[name])
		have[name] = more[name]
	}
	return json.RawMessage(out + "}"), nil
}
