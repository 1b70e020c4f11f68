package problem

import (
	"errors"
	"strings"
	"testing"
)

// Apps rely on the status of each code.
func TestCodesHaveTheirStatus(t *testing.T) {
	want := map[Code]int{
		NotAuthenticated: 401, SessionExpired: 401, ReauthenticationRequired: 401,
		CSRF: 403, Forbidden: 403, NotFound: 404,
		InvalidReturnURL: 400, InvalidLogout: 400, InvalidLogoutToken: 400, UnknownProvider: 404, RequestTooLarge: 413,
		RateLimited: 429, UpstreamUnreachable: 502, ProviderUnreachable: 503, StoreUnavailable: 503, UpstreamTimeout: 504,
		NavigationRequired: 400, ProviderMisconfigured: 503,
		MethodNotAllowed: 405, BadRequest: 400, InternalError: 500, MisdirectedRequest: 421, RequestTimeout: 408,
		CookiesBlocked: 400, AttemptNotFound: 400, AttemptExpired: 400, AttemptSpent: 400, InvalidResponse: 400,
		AccessDenied: 403, ProviderRefused: 403, IDTokenInvalid: 400, StepUpRequired: 401,
		StepUpNotMet: 403, NotRenewable: 409, ClientGone: 499,
	}
	for code, status := range want {
		p := New(code)
		if p.Status != status || p.Code != code || p.Title == "" || p.Detail == "" && code != ClientGone {
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

func TestOnlyTheLogHasTheCause(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:6379: refused")
	p := New(StoreUnavailable).WithDetail("Later.").CausedBy(cause)
	if p.Detail != "Later." || !errors.Is(p, cause) || !strings.Contains(p.Error(), "10.0.0.7") {
		t.Errorf("problem = %+v", p)
	}
	if New(CSRF).Error() != "csrf" {
		t.Errorf("Error() = %q", New(CSRF).Error())
	}
}
