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

// From sorts an error into the codes. What it does not know is an internal error: only a store that
// can't be asked says so itself, and only ErrNoSession means that nobody is logged in.
func From(err error) *Problem {
	if p := new(Problem); errors.As(err, &p) {
		return p
	}
	if f := new(login.Failure); errors.As(err, &f) {
		return fromFailure(f).CausedBy(err)
	}
	if p := fromParameter(err); p != nil {
		return p.CausedBy(err)
	}
	if p := fromEcho(err); p != nil {
		return p.CausedBy(err)
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			p := New(known.code)
			p.RetryAfter = max(p.RetryAfter, wanted(err))
			return p.CausedBy(err)
		}
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return New(RequestTooLarge).CausedBy(err)
	}
	return New(InternalError).CausedBy(err)
}

// sentinels are tried in this order. An outage comes first: whatever else such an error says, it
// must not read as "logged out".
var sentinels = []struct {
	err  error
	code Code
}{
	{session.ErrUnavailable, StoreUnavailable},
	{provider.ErrUnreachable, ProviderUnreachable},
	{provider.ErrMisconfigured, ProviderMisconfigured},
	{renewal.ErrRefused, ReauthenticationRequired},
	{session.ErrRenewalRefused, ReauthenticationRequired},
	{session.ErrSessionExpired, SessionExpired},
	{session.ErrEnded, NotAuthenticated},
	{session.ErrNoSession, NotAuthenticated},
	{login.ErrUnknownProvider, UnknownProvider},
	{login.ErrInvalidReturnURL, InvalidReturnURL},
}

// wanted is how long the provider asks to be left alone.
func wanted(err error) time.Duration {
	if u := new(provider.UnreachableError); errors.As(err, &u) {
		return u.RetryAfter
	}
	return 0
}

func fromParameter(err error) *Problem {
	parameter := new(login.ParameterError)
	if !errors.As(err, &parameter) {
		return nil
	}
	return New(BadRequest).Because("The parameter " + parameter.Name + " " + parameter.Reason + ".")
}

// fromEcho sorts the router's own errors. Their texts are left out: echo puts a binder's or parser's
// words, and so a caller's, into them.
func fromEcho(err error) *Problem {
	e := new(echo.HTTPError)
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case e.Code == http.StatusUnauthorized:
		return New(NotAuthenticated)
	case e.Code == http.StatusForbidden:
		return New(Forbidden)
	case e.Code == http.StatusNotFound:
		return New(NotFound)
	case e.Code == http.StatusMethodNotAllowed:
		return New(MethodNotAllowed)
	case e.Code == http.StatusRequestEntityTooLarge:
		return New(RequestTooLarge)
	case e.Code == http.StatusTooManyRequests:
		return New(RateLimited)
	case e.Code >= 400 && e.Code < 500:
		return New(BadRequest)
	}
	return New(InternalError)
}

// failureCodes has the codes of login's kinds; they are the same words.
var failureCodes = map[login.Kind]Code{
	login.CookiesBlocked:        CookiesBlocked,
	login.CookieMissing:         AttemptNotFound,
	login.AttemptExpired:        AttemptExpired,
	login.AttemptSpent:          AttemptSpent,
	login.InvalidResponse:       InvalidResponse,
	login.AccessDenied:          AccessDenied,
	login.ProviderRefused:       ProviderRefused,
	login.IDTokenInvalid:        IDTokenInvalid,
	login.StepUpNotMet:          StepUpNotMet,
	login.ProviderUnreachable:   ProviderUnreachable,
	login.ProviderMisconfigured: ProviderMisconfigured,
	login.RateLimited:           RateLimited,
	login.StoreUnavailable:      StoreUnavailable,
	login.Internal:              InternalError,
}

func fromFailure(f *login.Failure) *Problem {
	p := New(failureCodes[f.Kind])
	if f.Kind == login.RateLimited { // no failure that a provider, or this login, has anything to do with
		return p.After(f.RetryAfter)
	}
	p.RetryAfter = max(p.RetryAfter, wanted(f.Err))
	p.login = f
	return p
}
