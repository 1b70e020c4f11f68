package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// The contract's table of codes, and what joined it.
func TestCodesHaveTheStatusOfTheContract(t *testing.T) {
	want := map[Code]int{
		NotAuthenticated: 401, SessionExpired: 401, ReauthenticationRequired: 401, CSRF: 403, Forbidden: 403, NotFound: 404,
		InvalidReturnURL: 400, InvalidLogout: 400, InvalidLogoutToken: 400, UnknownProvider: 404, RequestTooLarge: 413,
		RateLimited: 429, UpstreamUnreachable: 502, ProviderUnreachable: 503, StoreUnavailable: 503, UpstreamTimeout: 504,
		NavigationRequired: 400, ProviderMisconfigured: 503,
		MethodNotAllowed: 405, BadRequest: 400, InternalError: 500, MisdirectedRequest: 421, RequestTimeout: 408,
		CookiesBlocked: 400, AttemptNotFound: 400, AttemptExpired: 400, AttemptSpent: 400, InvalidResponse: 400,
		AccessDenied: 403, ProviderRefused: 403, IDTokenInvalid: 400, StepUpRequired: 401, StepUpNotMet: 403, NotRenewable: 409, clientGone: 499,
	}
	for code, status := range want {
		p := New(code)
		if p.Status != status || p.Code != code || p.Title == "" || p.Detail == "" && code != clientGone {
			t.Errorf("New(%s) = %+v, want status %d and words", code, p, status)
		}
		if (p.RetryAfter > 0) != (status == 503 || status == 429) {
			t.Errorf("%s: Retry-After %v", code, p.RetryAfter)
		}
	}
	if len(table) != len(want) {
		t.Errorf("the table has %d codes, the test %d", len(table), len(want))
	}
	if p := New("no_such_code"); p.Code != InternalError || p.Status != 500 {
		t.Errorf("an unknown code = %+v, want an internal error", p)
	}
}

// Only ErrNoSession and its like mean that nobody is logged in; an outage never does (ST1).
func TestErrorsAreSortedIntoCodes(t *testing.T) {
	slow := &provider.UnreachableError{Provider: "main", Endpoint: "token", Reason: "it answered 503", RetryAfter: 90 * time.Second}
	for _, c := range []struct {
		err  error
		want Code
	}{
		{session.ErrNoSession, NotAuthenticated},
		{session.ErrEnded, NotAuthenticated},
		{session.ErrSessionExpired, SessionExpired},
		{renewal.ErrRefused, ReauthenticationRequired},
		{renewal.ErrNotRenewable, ReauthenticationRequired},
		{provider.ErrUnreachable, ProviderUnreachable},
		{slow, ProviderUnreachable},
		{provider.ErrMisconfigured, ProviderMisconfigured},
		{&provider.OAuthError{Code: "invalid_client"}, ProviderMisconfigured},
		{session.ErrUnavailable, StoreUnavailable},
		{errors.Join(session.ErrUnavailable, session.ErrNoSession), StoreUnavailable},
		{login.ErrUnknownProvider, UnknownProvider},
		{login.ErrInvalidReturnURL, InvalidReturnURL},
		{&login.ParameterError{Name: "prompt", Reason: "is repeated"}, BadRequest},
		{&http.MaxBytesError{Limit: 1}, RequestTooLarge},
		{echo.ErrNotFound, NotFound},
		{echo.ErrMethodNotAllowed, MethodNotAllowed},
		{echo.ErrUnsupportedMediaType, BadRequest},
		{echo.ErrStatusRequestEntityTooLarge, RequestTooLarge},
		{echo.ErrTooManyRequests, RateLimited},
		{echo.ErrForbidden, Forbidden},
		{echo.ErrUnauthorized, NotAuthenticated},
		{echo.ErrBadGateway, InternalError},
		{New(CSRF), CSRF},
		{errors.New("disk on fire"), InternalError},
		{context.Canceled, InternalError},
	} {
		for _, err := range []error{c.err, fmt.Errorf("act thing: %w", c.err)} {
			if got := From(err); got.Code != c.want || got.Status != table[c.want].status {
				t.Errorf("From(%v) = %s, want %s", err, got.Code, c.want)
			}
		}
	}
	if got := From(slow).RetryAfter; got != 90*time.Second {
		t.Errorf("Retry-After = %v, want the provider's", got)
	}
}

func TestEndsOfALoginHaveTheirCodes(t *testing.T) {
	for kind, want := range map[login.Kind]Code{
		login.CookiesBlocked: CookiesBlocked, login.CookieMissing: AttemptNotFound, login.AttemptExpired: AttemptExpired,
		login.AttemptSpent: AttemptSpent, login.InvalidResponse: InvalidResponse, login.AccessDenied: AccessDenied,
		login.ProviderRefused: ProviderRefused, login.IDTokenInvalid: IDTokenInvalid, login.ProviderUnreachable: ProviderUnreachable,
		login.ProviderMisconfigured: ProviderMisconfigured, login.StoreUnavailable: StoreUnavailable, login.Internal: InternalError,
		"a new kind": InternalError,
	} {
		// What is inside a failure does not decide: its kind does.
		f := &login.Failure{Kind: kind, Err: session.ErrNoSession}
		if got := From(fmt.Errorf("wrapped: %w", f)); got.Code != want {
			t.Errorf("a failure of kind %s = %s, want %s", kind, got.Code, want)
		}
	}
}

func TestFormErrors(t *testing.T) {
	if got := From(FormError(&http.MaxBytesError{Limit: 1})); got.Code != RequestTooLarge {
		t.Errorf("a large form = %s", got.Code)
	}
	if got := From(FormError(errors.New("invalid URL escape \"%zz\""))); got.Code != BadRequest || strings.Contains(got.Detail, "zz") {
		t.Errorf("a bad form = %+v", got)
	}
}

func TestProblemSaysItsCauseToTheLogAlone(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:6379: refused")
	p := New(StoreUnavailable).Because("Later.").CausedBy(cause)
	if p.Detail != "Later." || !errors.Is(p, cause) || !strings.Contains(p.Error(), "10.0.0.7") {
		t.Errorf("problem = %+v", p)
	}
	if New(CSRF).Error() != "csrf" {
		t.Errorf("Error() = %q", New(CSRF).Error())
	}
}
