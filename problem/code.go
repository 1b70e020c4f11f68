package problem

// A Code is a stable name of an error, by which clients decide what to do. It is itself an error:
// an error that wraps a Code is answered with it.
type Code string

// Error implements error.
func (c Code) Error() string { return string(c) }

// The codes, as docs/endpoints.md lists them.
const (
	NotAuthenticated         Code = "not_authenticated"
	SessionExpired           Code = "session_expired"
	ReauthenticationRequired Code = "reauthentication_required"
	CSRF                     Code = "csrf"
	Forbidden                Code = "forbidden"
	NotFound                 Code = "not_found"
	InvalidReturnURL         Code = "invalid_return_url"
	InvalidLogout            Code = "invalid_logout"
	InvalidLogoutToken       Code = "invalid_logout_token"
	UnknownProvider          Code = "unknown_provider"
	RequestTooLarge          Code = "request_too_large"
	RateLimited              Code = "rate_limited"
	UpstreamUnreachable      Code = "upstream_unreachable"
	ProviderUnreachable      Code = "provider_unreachable"
	StoreUnavailable         Code = "store_unavailable"
	UpstreamTimeout          Code = "upstream_timeout"
	NavigationRequired       Code = "navigation_required"
	ProviderMisconfigured    Code = "provider_misconfigured"
)

// Codes of general errors, and of sessions.
const (
	MethodNotAllowed   Code = "method_not_allowed"
	BadRequest         Code = "bad_request"
	InternalError      Code = "internal_error"
	MisdirectedRequest Code = "misdirected_request"
	// RequestTimeout means that the rest of the request did not arrive in time.
	RequestTimeout Code = "request_timeout"
	// StepUpRequired means that the session is valid, but the request needs a stronger or more
	// recent login (RFC 9470).
	StepUpRequired Code = "step_up_required"
	// NotRenewable means that the session is valid but has no refresh token, so its access token
	// can't be renewed on demand.
	NotRenewable Code = "not_renewable"
	// ClientGone means that the client closed the connection. Only the log has this code.
	ClientGone Code = "client_gone"
)

// Codes of failed logins. A login can also fail with one of the codes above.
const (
	// CookiesBlocked means that the browser sent no cookies.
	CookiesBlocked Code = "cookies_blocked"
	// AttemptNotFound means that the browser sent cookies, but not that of this attempt: the login
	// was started in another browser, or long ago.
	AttemptNotFound Code = "attempt_not_found"
	// AttemptExpired means that the user took longer than ten minutes.
	AttemptExpired Code = "attempt_expired"
	// AttemptSpent means that the same response was used before: back button, reload, double click.
	AttemptSpent Code = "attempt_spent"
	// InvalidResponse means that the authorization or token response violates the protocol, or does
	// not belong to this attempt.
	InvalidResponse Code = "invalid_response"
	// AccessDenied means that the user, or a policy of the provider, denied the login (RFC 6749
	// §4.1.2.1).
	AccessDenied Code = "access_denied"
	// ProviderRefused means that the provider refused this login for another reason.
	ProviderRefused Code = "provider_refused"
	// IDTokenInvalid means that the ID token or the userinfo response failed a check.
	IDTokenInvalid Code = "id_token_invalid"
	// StepUpNotMet means that the login of a step-up was not as strong or as recent as requested.
	StepUpNotMet Code = "step_up_not_met"
)
