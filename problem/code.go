package problem

// A Code is a stable word for what went wrong; clients decide by it. It is an error for others to
// wrap: what wraps a code is answered with it.
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

// Codes that joined later.
const (
	MethodNotAllowed   Code = "method_not_allowed"
	BadRequest         Code = "bad_request"
	InternalError      Code = "internal_error"
	MisdirectedRequest Code = "misdirected_request"
	// RequestTimeout: the rest of the request did not come.
	RequestTimeout Code = "request_timeout"
	// StepUpRequired: the session is good, but this needs a stronger or a fresher login (RFC 9470).
	StepUpRequired Code = "step_up_required"
	// NotRenewable: the session is good, but has no refresh token, so nothing is renewed on demand.
	NotRenewable Code = "not_renewable"
	// ClientGone: the caller hung up. It is for the log: nobody reads the answer.
	ClientGone Code = "client_gone"
)

// Codes of logins that did not come to a session. Some of the codes above are such ends, too.
const (
	// CookiesBlocked: the browser sent no cookie at all.
	CookiesBlocked Code = "cookies_blocked"
	// AttemptNotFound: the browser has cookies, but not this attempt's. It is another browser's link,
	// or the attempt was long ago.
	AttemptNotFound Code = "attempt_not_found"
	// AttemptExpired: the person took longer than ten minutes.
	AttemptExpired Code = "attempt_expired"
	// AttemptSpent: the same response came before: back button, reload, double click.
	AttemptSpent Code = "attempt_spent"
	// InvalidResponse: the authorization or token response breaks the protocol, or is not this
	// attempt's.
	InvalidResponse Code = "invalid_response"
	// AccessDenied: the person, or the provider for them, said no (RFC 6749 §4.1.2.1).
	AccessDenied Code = "access_denied"
	// ProviderRefused: any other refusal that is about this login.
	ProviderRefused Code = "provider_refused"
	// IDTokenInvalid: the ID token, or userinfo, broke a rule.
	IDTokenInvalid Code = "id_token_invalid"
	// StepUpNotMet: the user of a step-up was not logged in as strongly, or as lately, as asked.
	StepUpNotMet Code = "step_up_not_met"
)
