package login

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
)

// Begin returns these errors, a *ParameterError or a *Failure.
var (
	// ErrUnknownProvider: no provider has that id. There is no default provider to use instead.
	ErrUnknownProvider = problem.Sentinel(problem.UnknownProvider, "no such provider")
	// ErrInvalidReturnURL: see site.Site.ReturnURL.
	ErrInvalidReturnURL = problem.Sentinel(problem.InvalidReturnURL,
		"return URL is not a path of this app")
)

// A Failure is a login that failed. It has started and ended no session, and all tokens that the
// provider had issued are being revoked.
type Failure struct {
	Kind     problem.Code // why; it decides the page, the metric and whether to offer another try
	Provider string       // configured id
	// Code is the provider's error code, or the rule that a response or ID token broke; Description
	// is the provider's own text. Both are bounded and printable, and must be escaped.
	Code, Description string
	Reason            string        // what Options.Admit tells the user; otherwise ""
	ReturnURL         string        // where another try leads; "/" if the attempt is unknown
	Silent            bool          // the login ran in a hidden frame, where nobody sees a page
	RetryAfter        time.Duration // of problem.RateLimited
	Err               error         // for the log; never shown
}

// Error implements error. It is for the log, so it leaves the provider's description out.
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

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Problem returns the answer to the browser. It depends on the kind, not on the cause.
func (f *Failure) Problem() *problem.Problem {
	p := problem.New(f.Kind)
	if f.Kind == problem.RateLimited {
		p.RetryAfter = f.RetryAfter
	}
	return p
}

// Stale reports whether the attempt merely no longer exists. A browser that has got a session in
// the meantime need not be told.
func (f *Failure) Stale() bool {
	switch f.Kind {
	case problem.CookiesBlocked, problem.AttemptNotFound,
		problem.AttemptExpired, problem.AttemptSpent:
		return true
	}
	return false
}

// StaleFailure rebuilds the Failure of a callback that was found stale. The browser is redirected
// once more so that it sends its session cookie, and kind comes from the URL of that page: any kind
// that is not stale becomes problem.AttemptNotFound.
func StaleFailure(providerID, kind string) *Failure {
	f := &Failure{Kind: problem.Code(kind), Provider: providerID, ReturnURL: "/"}
	if !f.Stale() {
		f.Kind = problem.AttemptNotFound
	}
	return f
}

// broken returns the Failure of a response or token that broke a rule.
func broken(kind problem.Code, rule string) *Failure {
	return &Failure{Kind: kind, Code: rule}
}

// outage returns the code of an error that is nobody's fault and says nothing about the login, such
// as an unreachable store. It ignores other codes, such as that of a session that has ended.
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

// failureOf classifies the error of a request to the provider or the store.
func failureOf(err error) *Failure {
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
