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
				t.Errorf("problem.From(%v) = %s, want %s", err, got.Code, c.want)
			}
		}
	}
	if got := problem.From(slow).RetryAfter; got != 90*time.Second {
		t.Errorf("Retry-After = %v, want the provider's", got)
	}
}

func TestEndsOfALoginHaveTheirCodes(t *testing.T) {
	for kind, want := range map[problem.Code]problem.Code{
		problem.CookiesBlocked: problem.CookiesBlocked, problem.AttemptNotFound: problem.AttemptNotFound, problem.AttemptExpired: problem.AttemptExpired,
		problem.AttemptSpent: problem.AttemptSpent, problem.InvalidResponse: problem.InvalidResponse, problem.AccessDenied: problem.AccessDenied,
		problem.ProviderRefused: problem.ProviderRefused, problem.IDTokenInvalid: problem.IDTokenInvalid, problem.ProviderUnreachable: problem.ProviderUnreachable,
		problem.ProviderMisconfigured: problem.ProviderMisconfigured, problem.StoreUnavailable: problem.StoreUnavailable, problem.InternalError: problem.InternalError,
		"a new kind": problem.InternalError,
	} {
		// What is inside a failure does not decide: its kind does.
		f := &login.Failure{Kind: kind, Err: session.ErrNoSession}
		if got := problem.From(fmt.Errorf("wrapped: %w", f)); got.Code != want {
			t.Errorf("a failure of kind %s = %s, want %s", kind, got.Code, want)
		}
	}
}
