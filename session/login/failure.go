package login

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/session"
)

// What Begin refuses beside a *ParameterError and a *Failure.
var (
	// ErrUnknownProvider: no provider of that id is configured; there is no default to fall back on.
	ErrUnknownProvider = errors.New("no such provider")
	// ErrInvalidReturnURL: see ValidReturnURL.
	ErrInvalidReturnURL = errors.New("return URL is not a path of this app")
)

// A Kind says why a login failed: it decides the page, the metric and whether to try again. Kinds
// are stable words.
type Kind string

// The kinds.
const (
	CookiesBlocked        Kind = "cookies_blocked"        // the browser sent no cookie at all
	CookieMissing         Kind = "attempt_not_found"      // the browser has cookies, but not this attempt's: another browser's link, or long ago
	AttemptExpired        Kind = "attempt_expired"        // the person took longer than ten minutes
	AttemptSpent          Kind = "attempt_spent"          // the same response came before: back button, reload, double click
	InvalidResponse       Kind = "invalid_response"       // the authorization or token response breaks the protocol, or is not this attempt's
	AccessDenied          Kind = "access_denied"          // the person, or the provider for them, said no (RFC 6749 §4.1.2.1)
	ProviderRefused       Kind = "provider_refused"       // any other refusal that is about this login
	IDTokenInvalid        Kind = "id_token_invalid"       // the ID token, or userinfo, broke a rule
	StepUpNotMet          Kind = "step_up_not_met"        // a step-up whose user was not logged in as strongly, or as lately, as asked
	ProviderUnreachable   Kind = "provider_unreachable"   // no usable answer
	ProviderMisconfigured Kind = "provider_misconfigured" // the provider refuses this client
	RateLimited           Kind = "rate_limited"           // too many codes of this client were refused
	StoreUnavailable      Kind = "store_unavailable"      // the login was fine, but there is nowhere to keep it
	Internal              Kind = "internal_error"         // ours
)

// Stale reports whether the attempt is simply not there any more, so that a browser that has a
// session meanwhile need not be told of it.
func (k Kind) Stale() bool {
	switch k {
	case CookiesBlocked, CookieMissing, AttemptExpired, AttemptSpent:
		return true
	}
	return false
}

// A Failure is a login that did not come to a session. No session was started or ended by it, and
// whatever tokens had been issued are on their way to be revoked.
type Failure struct {
	Kind     Kind
	Provider string // configured id
	// Code is the provider's error code, or the rule that a response or ID token broke; Description
	// is the provider's own text. Both are bounded and printable, and still have to be escaped.
	Code, Description string
	ReturnURL         string        // where "try again" shall lead in the end; "/" when the attempt is not known
	Silent            bool          // nobody is looking: the attempt was made in a hidden frame
	RetryAfter        time.Duration // of RateLimited
	Err               error         // for the log; never shown
}

// Error implements error. It is for the log: the provider's description is not in it.
func (f *Failure) Error() string {
	s := fmt.Sprintf("login at provider %q failed: %s", f.Provider, f.Kind)
	if f.Code != "" {
		s += fmt.Sprintf(" (%q)", f.Code)
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// StaleFailure is the Failure of a callback that was already found stale, for the page that the
// browser is led to in order to show its session cookie. kind comes from that page's URL: anything
// but a stale kind becomes CookieMissing.
func StaleFailure(providerID, kind string) *Failure {
	k := Kind(kind)
	if !k.Stale() {
		k = CookieMissing
	}
	return &Failure{Kind: k, Provider: providerID, ReturnURL: "/"}
}

// broken is a response or token that broke a rule.
func broken(kind Kind, rule string) *Failure {
	return &Failure{Kind: kind, Code: rule}
}

// because sorts the error of a request to the provider or the store.
func because(err error) *Failure {
	f := &Failure{Kind: Internal, Err: err}
	var invalidResponse *provider.InvalidResponseError
	var invalidToken *jose.InvalidTokenError
	var oauth *provider.OAuthError
	switch {
	case errors.Is(err, session.ErrUnavailable):
		f.Kind = StoreUnavailable
	case errors.Is(err, provider.ErrUnreachable):
		f.Kind = ProviderUnreachable
	case errors.Is(err, provider.ErrMisconfigured):
		f.Kind = ProviderMisconfigured
	case errors.As(err, &invalidResponse):
		f.Kind, f.Code = InvalidResponse, invalidResponse.Rule
	case errors.As(err, &invalidToken):
		f.Kind, f.Code = IDTokenInvalid, invalidToken.Rule
	case errors.Is(err, provider.ErrInvalidGrant):
		f.Kind = ProviderRefused
	}
	if errors.As(err, &oauth) {
		if f.Kind == Internal {
			f.Kind = ProviderRefused
		}
		f.Code, f.Description = visible(oauth.Code), visible(oauth.Description)
	}
	return f
}
