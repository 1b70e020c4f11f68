package jose

import (
	"errors"
	"fmt"
)

// ErrBusy means that too many tokens from strangers are being checked at this moment. The sender
// should try again.
var ErrBusy = errors.New("too many tokens are being checked")

// RuleUserinfoSub is the rule that userinfo must be about the subject of the ID token (OIDC Core
// §5.3.2).
const RuleUserinfoSub = "userinfo_sub"

// An InvalidTokenError means that an ID token or userinfo answer broke a rule. Nothing in it may be
// used.
type InvalidTokenError struct {
	Rule   string // a stable word: the claim or header ("nonce", "aud", "typ"), "signature", "format"
	Detail string // in our words, bounded; no claim values but times
}

// Error implements error.
func (e *InvalidTokenError) Error() string {
	return fmt.Sprintf("ID token or userinfo breaks rule %q: %s", e.Rule, e.Detail)
}

// An InvalidLogoutTokenError means that a logout token broke a rule of OIDC Back-Channel Logout
// §2.6.
type InvalidLogoutTokenError struct {
	Rule   string // as InvalidTokenError's
	Detail string
	Remedy string // what the operator can do, in our words
}

// Error implements error.
func (e *InvalidLogoutTokenError) Error() string {
	return fmt.Sprintf("logout token breaks rule %q: %s", e.Rule, e.Detail)
}
