package problem

import (
	"errors"
	"net/http"
	"time"
)

// From returns the problem with which err is answered. For an error that has none it is
// InternalError.
func From(err error) *Problem {
	if p, known := Of(err); known {
		return p
	}
	return New(InternalError).CausedBy(err)
}

// Of returns the problem of err, or false if it has none. It looks in err and the errors that it
// wraps for a *Problem, then for an error with a method Problem, and then for a Code.
func Of(err error) (*Problem, bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, true
	}
	p := newFrom(err)
	if p == nil {
		return nil, false
	}
	if w, ok := errors.AsType[waitError](err); ok {
		p.RetryAfter = max(p.RetryAfter, w.Wait())
	}
	return p.CausedBy(err), true
}

// A problemError is an error that makes its own Problem.
type problemError interface {
	error
	Problem() *Problem
}

// A waitError is an error after which the client should wait before it tries again.
type waitError interface {
	error
	Wait() time.Duration
}

// precedence is the order of the codes if an error wraps several. Outages come first: an error
// about an outage must never be answered with "logged out".
var precedence = [...]Code{
	StoreUnavailable, ProviderUnreachable, ProviderMisconfigured,
	ReauthenticationRequired, SessionExpired, NotAuthenticated,
}

// newFrom returns a new problem for err, or nil if err has neither a method Problem nor a code.
func newFrom(err error) *Problem {
	if t, ok := errors.AsType[problemError](err); ok {
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

// Sentinel returns a new error that is answered with code. Its text is for the log.
func Sentinel(code Code, text string) error { return &sentinel{code, text} }

type sentinel struct {
	code Code
	text string
}

// Error implements error.
func (s *sentinel) Error() string { return s.text }

// Unwrap returns the code.
func (s *sentinel) Unwrap() error { return s.code }
