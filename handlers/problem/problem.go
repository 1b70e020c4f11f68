// Package problem is the only code that turns an error into an answer: RFC 9457 problem details for
// a fetch, a page with the same facts for a person who navigates.
//
// Handlers return errors and know nothing of either form. What went wrong inside goes into the
// request's log line; the answer has only this package's own words and what the handlers say through
// Because, so nothing that a caller or a provider sent is in it, but in the places that say so.
package problem

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// defaultRetryAfter is what a 503 says when nobody knows better.
const defaultRetryAfter = 5 * time.Second

// A Problem is an error that knows its answer.
type Problem struct {
	Status     int
	Code       Code
	Title      string
	Detail     string
	RetryAfter time.Duration // 0: none, but on a 503 and a 429
	Failure    *login.Failure
	err        error // logged, never shown
}

// New returns the problem of a code, with the code's own words.
func New(c Code) *Problem {
	k := kinds[c]
	p := &Problem{Status: k.status, Code: c, Title: k.title, Detail: k.detail}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		p.RetryAfter = defaultRetryAfter
	}
	return p
}

// Because replaces the shown detail. It must be our own constant words.
func (p *Problem) Because(detail string) *Problem {
	p.Detail = detail
	return p
}

// CausedBy adds what is logged and never shown.
func (p *Problem) CausedBy(err error) *Problem {
	p.err = err
	return p
}

// Error implements error, for the log.
func (p *Problem) Error() string {
	if p.err != nil {
		return string(p.Code) + ": " + p.err.Error()
	}
	return string(p.Code) + ": " + p.Detail
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.err }

// FormError is the problem of a body that http.Request.ParseForm did not take.
func FormError(err error) error {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return New(RequestTooLarge).CausedBy(err)
	}
	return New(BadRequest).Because("the form does not parse").CausedBy(err)
}

// From finds the problem for any error. What it does not know is an internal error.
func From(err error) *Problem {
	var (
		known    *Problem
		failure  *login.Failure
		echoErr  *echo.HTTPError
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &failure):
		return fromFailure(failure)
	case errors.As(err, &tooLarge):
		return New(RequestTooLarge).CausedBy(err)
	case errors.As(err, &echoErr):
		return fromEcho(echoErr)
	}
	return fromState(err)
}

// fromState sorts what sessions, renewals and providers say. The order matters: a store that can't
// be asked is never "logged out", whatever else is in the chain.
func fromState(err error) *Problem {
	for _, k := range []struct {
		target error
		code   Code
	}{
		{session.ErrUnavailable, StoreUnavailable},
		{renewal.ErrRefused, ReauthenticationRequired},
		{session.ErrSessionExpired, SessionExpired},
		{session.ErrEnded, NotAuthenticated},
		{session.ErrNoSession, NotAuthenticated},
		{provider.ErrUnreachable, ProviderUnreachable},
		{provider.ErrMisconfigured, ProviderMisconfigured},
	} {
		if errors.Is(err, k.target) {
			p := New(k.code).CausedBy(err)
			if down := new(provider.UnreachableError); errors.As(err, &down) && down.RetryAfter > 0 {
				p.RetryAfter = down.RetryAfter
			}
			return p
		}
	}
	return New(InternalError).CausedBy(err)
}

// fromEcho sorts what Echo's router says.
func fromEcho(err *echo.HTTPError) *Problem {
	switch err.Code {
	case http.StatusNotFound:
		return New(NotFound)
	case http.StatusMethodNotAllowed:
		return New(MethodNotAllowed)
	case http.StatusRequestEntityTooLarge:
		return New(RequestTooLarge)
	}
	if err.Code < http.StatusInternalServerError {
		return New(BadRequest).CausedBy(err)
	}
	return New(InternalError).CausedBy(err)
}

// fromFailure gives a login that failed its status; the page says the rest.
func fromFailure(f *login.Failure) *Problem {
	code := LoginFailed
	switch f.Kind {
	case login.ProviderUnreachable:
		code = ProviderUnreachable
	case login.ProviderMisconfigured:
		code = ProviderMisconfigured
	case login.StoreUnavailable:
		code = StoreUnavailable
	case login.InvalidRequest:
		code = BadRequest
	}
	p := New(code).CausedBy(f)
	p.Failure = f
	return p
}
