package problem_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// Only ErrNoSession and its like mean that nobody is logged in; an outage never does (ST1).
func TestErrorsAreSortedIntoCodes(t *testing.T) {
	slow := &provider.UnreachableError{Provider: "main", Endpoint: "token", Reason: "it answered 503", RetryAfter: 90 * time.Second}
	for _, c := range []struct {
		err  error
		want problem.Code
	}{
		{session.ErrNoSession, problem.NotAuthenticated},
		{session.ErrEnded, problem.NotAuthenticated},
		{session.ErrSessionExpired, problem.SessionExpired},
		{renewal.ErrRefused, problem.ReauthenticationRequired},
		{renewal.ErrNotRenewable, problem.ReauthenticationRequired},
		{provider.ErrUnreachable, problem.ProviderUnreachable},
		{slow, problem.ProviderUnreachable},
		{provider.ErrMisconfigured, problem.ProviderMisconfigured},
		{&provider.OAuthError{Code: "invalid_client"}, problem.ProviderMisconfigured},
		{session.ErrUnavailable, problem.StoreUnavailable},
		{errors.Join(session.ErrUnavailable, session.ErrNoSession), problem.StoreUnavailable},
		{errors.Join(session.ErrNoSession, session.ErrUnavailable), problem.StoreUnavailable},
		{errors.Join(session.ErrEnded, renewal.ErrRefused), problem.ReauthenticationRequired},
		{session.ErrRenewalRefused, problem.ReauthenticationRequired},
		{login.ErrUnknownProvider, problem.UnknownProvider},
		{login.ErrInvalidReturnURL, problem.InvalidReturnURL},
		{&login.ParameterError{Name: "prompt", Reason: "is repeated"}, problem.BadRequest},
		{&http.MaxBytesError{Limit: 1}, problem.RequestTooLarge},
		{problem.New(problem.CSRF), problem.CSRF},
		{errors.New("disk on fire"), problem.InternalError},
		{context.Canceled, problem.InternalError},
	} {
		for _, err := range []error{c.err, fmt.Errorf("act thing: %w", c.err)} {
			if got := problem.From(err); got.Code != c.want || got.Status != problem.New(c.want).Status {
				t.Errorf("From(%v) = %s, want %s", err, got.Code, c.want)
			}
		}
	}
	if got := problem.From(slow).RetryAfter; got != 90*time.Second {
		t.Errorf("Retry-After = %v, want the provider's", got)
	}
}

func TestEndsOfALoginHaveTheirCodes(t *testing.T) {
	for _, kind := range []problem.Code{
		problem.CookiesBlocked, problem.AttemptNotFound, problem.AttemptExpired, problem.AttemptSpent,
		problem.InvalidResponse, problem.AccessDenied, problem.ProviderRefused, problem.IDTokenInvalid,
		problem.StepUpNotMet, problem.ProviderUnreachable, problem.ProviderMisconfigured,
		problem.RateLimited, problem.StoreUnavailable, problem.InternalError, "a new kind",
	} {
		want := kind
		if kind == "a new kind" {
			want = problem.InternalError
		}
		// What is inside a failure does not decide: its kind does.
		f := &login.Failure{Kind: kind, Err: session.ErrNoSession}
		err := fmt.Errorf("wrapped: %w", f)
		if got := problem.From(err); got.Code != want || got.Err != err {
			t.Errorf("a failure of kind %s = %v, want %s and the failure as its cause", kind, got, want)
		}
	}
}

// A login that is refused for its number of codes is told its own time to wait; one that an
// unreachable provider failed, the provider's.
func TestFailedLoginsAreToldHowLongToWait(t *testing.T) {
	for _, c := range []struct {
		failure *login.Failure
		want    time.Duration
	}{
		{&login.Failure{Kind: problem.RateLimited, RetryAfter: 2 * time.Second}, 2 * time.Second},
		{&login.Failure{Kind: problem.ProviderUnreachable, Err: &provider.UnreachableError{RetryAfter: time.Minute}}, time.Minute},
		{&login.Failure{Kind: problem.ProviderUnreachable, Err: &provider.UnreachableError{RetryAfter: time.Second}}, 5 * time.Second},
		{&login.Failure{Kind: problem.AccessDenied}, 0},
	} {
		if got := problem.From(c.failure).RetryAfter; got != c.want {
			t.Errorf("Retry-After of %v = %v, want %v", c.failure, got, c.want)
		}
	}
}

func TestAnErrorThatNamesNoCodeIsNotKnown(t *testing.T) {
	if p, known := problem.Of(&provider.OAuthError{Code: "invalid_scope"}); known {
		t.Errorf("problem = %v, want none", p)
	}
}
