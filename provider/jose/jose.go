// Package jose judges tokens without HTTP: bytes and expectations in, a verdict out. It owns the
// checks on ID tokens (OIDC Core §3.1.3.7 and §12.2), logout tokens (OIDC Back-Channel Logout §2.6)
// and userinfo (OIDC Core §5.3), which key of a provider may have made a signature, and the
// assertions that this client signs (RFC 7523).
//
// It knows nothing of endpoints: its Keys are fetched by somebody else.
package jose

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// skew is how far the provider's clock may be from ours, in each check that compares the two.
const skew = time.Minute

// Expectations are what every token of one provider must satisfy. They must not be changed once a
// Verifier has them.
type Expectations struct {
	Issuers          Issuers
	ClientID         string
	TrustedAudiences []string     // that a token may name beside ClientID
	Alg              string       // the one algorithm that tokens may be signed with; Supported
	Secret           secret.Value // the client secret, where Alg is an HMAC; else not used
	// MaxAge bounds the age of every login (max_age); nil: only an Attempt's own does.
	MaxAge *time.Duration
	// LogoutByIssued lets a logout token leave out exp: it is then good for two minutes from its iat.
	LogoutByIssued bool
	Now            func() time.Time // what times in tokens are judged by
}

// A Verifier judges the tokens of one provider. It is safe for concurrent use.
type Verifier struct {
	want Expectations
	keys *keySet
}

// NewVerifier makes a Verifier of what was published as keys. now is this process's own clock, by
// which fetches and attempts at a signature are limited.
func NewVerifier(want Expectations, keys Keys, now func() time.Time) *Verifier {
	return &Verifier{want: want, keys: newKeySet(want, keys, now)}
}

// Supported reports whether alg is an algorithm that tokens can be checked for.
func Supported(alg string) bool { return hashOf(alg) != 0 }

// IsHMAC reports whether signatures of alg are made with the client secret, and not with a key pair.
func IsHMAC(alg string) bool { return strings.HasPrefix(alg, "HS") }

// ErrBusy means that strangers have so many tokens checked at this moment that there was no turn for this one. Its
// sender should try again.
var ErrBusy = errors.New("too many tokens are being checked")

// RuleUserinfoSub is the rule that userinfo is about the subject of the ID token (OIDC Core §5.3.2).
const RuleUserinfoSub = "userinfo_sub"

// An InvalidTokenError is an ID token or userinfo answer that broke a rule. Nothing in it may be used.
type InvalidTokenError struct {
	Rule   string // a stable word: the claim or header ("nonce", "aud", "typ"), "signature", "format"
	Detail string // in our words, bounded; no claim values but times
}

// Error implements error.
func (e *InvalidTokenError) Error() string {
	return fmt.Sprintf("ID token or userinfo breaks rule %q: %s", e.Rule, e.Detail)
}

// An InvalidLogoutTokenError is a logout token that broke a rule of OIDC Back-Channel Logout §2.6.
type InvalidLogoutTokenError struct {
	Rule   string // as InvalidTokenError's
	Detail string
	Remedy string // what the operator can do, in our words
}

// Error implements error.
func (e *InvalidLogoutTokenError) Error() string {
	return fmt.Sprintf("logout token breaks rule %q: %s", e.Rule, e.Detail)
}
