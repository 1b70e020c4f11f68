package login

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
)

// What Begin refuses beside a *ParameterError and a *Failure.
var (
	// ErrUnknownProvider: no provider of that id is configured; there is no default to fall back on.
	ErrUnknownProvider = problem.Sentinel(problem.UnknownProvider, "no such provider")
	// ErrInvalidReturnURL: see site.Site.ReturnURL.
	ErrInvalidReturnURL = problem.Sentinel(problem.InvalidReturnURL, "return URL is not a path of this app")
)

// A Failure is a login that did not come to a session. No session was started or ended by it, and
// whatever tokens had been issued are on their way to be revoked.
type Failure struct {
	Kind     problem.Code // why; it decides the page, the metric and whether to try again
	Provider string       // configured id
	// Code is the provider's error code, or the rule that a response or ID token broke; Description
	// is the provider's own text. Both are bounded and printable, and still have to be escaped.
	Code, Description string
	Reason            string        // what Options.Admit says to the user; "" for everybody else's refusal
	ReturnURL         string        // where "try again" shall lead in the end; "/" when the attempt is not known
	Silent            bool          // nobody is looking: the attempt was made in a hidden frame
	RetryAfter        time.Duration // of problem.RateLimited
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

// Problem is what a failure is answered with. Its kind decides, not its cause.
func (f *Failure) Problem() *problem.Problem {
	p := problem.New(f.Kind)
	if f.Kind == problem.RateLimited {
		p.RetryAfter = f.RetryAfter
	}
	return p
}

// Stale reports whether the attempt is simply not there any more, so that a browser that has a
// session meanwhile need not be told of it.
func (f *Failure) Stale() bool {
	switch f.Kind {
	case problem.CookiesBlocked, problem.AttemptNotFound, problem.AttemptExpired, problem.AttemptSpent:
		return true
	}
	return false
}

// StaleFailure is the Failure of a callback that was already found stale, for the page that the
// browser is led to in order to show its session cookie. kind comes from that page's URL: anything
// but a stale kind becomes problem.AttemptNotFound.
func StaleFailure(providerID, kind string) *Failure {
	f := &Failure{Kind: problem.Code(kind), Provider: providerID, ReturnURL: "/"}
	if !f.Stale() {
		f.Kind = problem.AttemptNotFound
	}
	return f
}

// broken is a response or token that broke a rule.
func broken(kind problem.Code, rule string) *Failure {
	return &Failure{Kind: kind, Code: rule}
}

// outage is the code of an err that is no user's doing, and says nothing about the login itself. Other
// codes that an error names, such as that of a session which has ended, are not a login's.
func outage(err error) (problem.Code, bool) {
	p, known := problem.Of(err)
	if !known {
		return "", false
	}
	switch p.Code {
	case problem.StoreUnavailable, problem.ProviderUnreachable, problem.ProviderMisconfigured:
		return p.Code, true
	}
	return "", false
}

// because sorts the error of a request to the provider or the store.
func because(err error) *Failure {
	f := &Failure{Kind: problem.InternalError, Err: err}
	var invalidResponse *provider.InvalidResponseError
	var invalidToken *jose.InvalidTokenError
	var oauth *provider.OAuthError
	switch code, isOutage := outage(err); {
	case isOutage:
		f.Kind = code
	case errors.As(err, &invalidResponse):
		f.Kind, f.Code = problem.InvalidResponse, invalidResponse.Rule
	case errors.As(err, &invalidToken):
		f.Kind, f.Code = problem.IDTokenInvalid, invalidToken.Rule
	case errors.Is(err, provider.ErrInvalidGrant):
		f.Kind = problem.ProviderRefused
	}
	if errors.As(err, &oauth) {
		if f.Kind == problem.InternalError {
			f.Kind = problem.ProviderRefused
		}
		f.Code, f.Description = visible(oauth.Code), visible(oauth.Description)
	}
	return f
}
