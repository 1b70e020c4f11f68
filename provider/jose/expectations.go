package jose

import (
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// skew is the accepted difference between the provider's clock and ours, in each check that
// compares the two.
const skew = time.Minute

// Expectations are what every token of one provider must satisfy. They must not be changed once a
// Verifier has them.
type Expectations struct {
	Issuers          Issuers
	ClientID         string
	TrustedAudiences []string     // accepted in aud beside ClientID
	Alg              string       // the one algorithm that tokens may be signed with, of Algorithms
	Secret           secret.Value // the client secret, if Alg is an HMAC; otherwise not used
	// MaxAge bounds the age of every login (max_age); nil: only an Attempt's own does.
	MaxAge *time.Duration
	// LogoutByIssued lets a logout token leave out exp; it is then valid for two minutes from its
	// iat.
	LogoutByIssued bool
	Now            func() time.Time // the clock that times in tokens are compared with
}

// An Attempt is what a login attempt expects of its ID token, beside Expectations.
type Attempt struct {
	Nonce       string         // as sent; required
	Issuer      string         // iss of the authorization response (RFC 9207); "": it had none
	AccessToken secret.Value   // that came with the ID token, for at_hash; zero: not checked
	MaxAge      *time.Duration // max_age as sent; nil: not asked. A smaller one of Expectations wins
	Started     time.Time      // for PromptLogin and max_age=0; zero: not compared
	// PromptLogin says that prompt=login was sent: auth_time, if there is one, must not be before
	// Started.
	PromptLogin  bool
	EssentialACR []string // acr must be one of these; empty: not asked
}

// An Original holds what the ID token of the login said. A renewed ID token must agree with it.
type Original struct {
	Subject, Issuer string
	AuthTime        time.Time // zero: not compared
	Nonce           string    // "": a renewed token must have none
	Audience        []string  // nil: checked only as at login

	AccessToken secret.Value // that came with the renewed token, for at_hash; zero: not checked
}

// Algorithms returns the signature algorithms that a provider and this client may use (RFC 7518
// §3.1, RFC 8037 §3.1).
func Algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		"HS256", "HS384", "HS512",
	}
}

// IsHMAC reports whether signatures of alg are made with the client secret instead of a key pair.
func IsHMAC(alg string) bool { return strings.HasPrefix(alg, "HS") }
