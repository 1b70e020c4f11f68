package jose

import (
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
	Alg              string       // the one algorithm that tokens may be signed with, of Algorithms
	Secret           secret.Value // the client secret, where Alg is an HMAC; else not used
	// MaxAge bounds the age of every login (max_age); nil: only an Attempt's own does.
	MaxAge *time.Duration
	// LogoutByIssued lets a logout token leave out exp: it is then good for two minutes from its
	// iat.
	LogoutByIssued bool
	Now            func() time.Time // what times in tokens are judged by
}

// An Attempt is what a login attempt expects of its ID token beside Expectations.
type Attempt struct {
	Nonce       string         // as sent; required
	Issuer      string         // iss of the authorization response (RFC 9207); "": it had none
	AccessToken secret.Value   // that came with the ID token, for at_hash; zero: not checked
	MaxAge      *time.Duration // max_age as sent; nil: not asked. A smaller one of Expectations wins
	Started     time.Time      // for PromptLogin and max_age=0; zero: not compared
	// PromptLogin says that prompt=login was sent: an auth_time, where there is one, must be newer than
	// the attempt.
	PromptLogin  bool
	EssentialACR []string // acr must be one of these; empty: not asked
}

// An Original is what a renewed ID token must agree with: what that of the login said.
type Original struct {
	Subject, Issuer string
	AuthTime        time.Time // zero: not compared
	Nonce           string    // "": a renewed token must not bear one
	Audience        []string  // nil: checked as at login only

	AccessToken secret.Value // that came with the renewed token, for at_hash; zero: not checked
}

// Algorithms are those that signatures of and for a provider may have (RFC 7518 §3.1, RFC 8037
// §3.1).
func Algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		"HS256", "HS384", "HS512",
	}
}

// IsHMAC reports whether signatures of alg are made with the client secret, and not with a key
// pair.
func IsHMAC(alg string) bool { return strings.HasPrefix(alg, "HS") }
