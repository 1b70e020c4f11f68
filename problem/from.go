package problem

import (
	"errors"
	"net/http"
	"time"
)

// From is the problem that err is answered with. An error that names none is an internal error.
func From(err error) *Problem {
	if p, known := Of(err); known {
		return p
	}
	return New(InternalError).CausedBy(err)
}

// Of is the problem that err, or an error inside it, names; false if none does. A *Problem stands for
// itself. Next comes an error with a method Problem, which decides whatever is inside it; then the
// codes that err wraps.
func Of(err error) (*Problem, bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, true
	}
	p := named(err)
	if p == nil {
		return nil, false
	}
	if w, ok := errors.AsType[waiter](err); ok {
		p.RetryAfter = max(p.RetryAfter, w.Wait())
	}
	return p.CausedBy(err), true
}

// A teller is an error that knows more of its answer than the code.
type teller interface {
	error
	Problem() *Problem
}

// A waiter is an error of somebody who asks to be left alone for a while.
type waiter interface {
	error
	Wait() time.Duration
}

// precedence decides between several codes in one error. An outage comes first: whatever else such an
// error says, it must not read as "logged out".
var precedence = [...]Code{
	StoreUnavailable, ProviderUnreachable, ProviderMisconfigured,
	ReauthenticationRequired, SessionExpired, NotAuthenticated,
}

// named is a new problem of the code that err names, nil if it names none.
func named(err error) *Problem {
	if t, ok := errors.AsType[teller](err); ok {
		return t.Problem()
	}
	for _, code := range precedence {
		if errors.Is(err, code) {
			return New(code)
		}
	}
	if code, ok := errors.AsType[Code](err); ok {
		return New(code)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(RequestTooLarge)
	}
	return nil
}

// Sentinel is a new error that wraps code, and so is answered with it. Its text is for the log.
func Sentinel(code Code, text string) error { return &sentinel{code, text} }

type sentinel struct {
	code Code
	text string
}

// Error implements error.
func (s *sentinel) Error() string { return s.text }

// Unwrap gives the code.
func (s *sentinel) Unwrap() error { return s.code }
