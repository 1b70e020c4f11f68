// Package problem turns errors into answers: RFC 9457 problem details for programs, a page with the
// same facts for people. It owns the codes of the contract, and is the only code that does this, so
// that one error has one answer wherever it happened.
//
// What a caller sees of an error is its code and words of our own. Texts of other software, tokens
// and addresses stay in Problem.Err, which goes to the log and nowhere else. The weak point is From:
// an error that it does not know is answered 500, so new kinds of errors have to be entered there.
package problem

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/session/login"
)

// A Code is a stable word for what went wrong; clients decide by it.
type Code string

// The codes of the contract.
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
	// The others are ends of a login; see package session/login's kinds of the same words.
	CookiesBlocked  Code = "cookies_blocked"
	AttemptNotFound Code = "attempt_not_found"
	AttemptExpired  Code = "attempt_expired"
	AttemptSpent    Code = "attempt_spent"
	InvalidResponse Code = "invalid_response"
	AccessDenied    Code = "access_denied"
	ProviderRefused Code = "provider_refused"
	IDTokenInvalid  Code = "id_token_invalid"
	StepUpNotMet    Code = "step_up_not_met"
	// StepUpRequired: the session is good, but this needs a stronger or a fresher login (RFC 9470).
	StepUpRequired Code = "step_up_required"
	// NotRenewable: the session is good, but has no refresh token, so nothing is renewed on demand.
	NotRenewable Code = "not_renewable"
)

// clientGone marks what nobody reads any more; it has no other use than the log.
const clientGone Code = "client_gone"

// statusClientGone is what nginx made customary for it; it never reaches anybody.
const statusClientGone = 499

// retryAfter is what a 503 says when nothing better is known.
const retryAfter = 5 * time.Second

type words struct {
	status        int
	title, detail string
}

// table has what each code is answered with. Refused logins are 400 or 403 rather than 502, though
// it is the provider's answer that was bad: proxies replace a 502's page by one of their own.
var table = map[Code]words{
	NotAuthenticated:         {http.StatusUnauthorized, "Not logged in", "There is no session in this browser. Log in first."},
	SessionExpired:           {http.StatusUnauthorized, "Session expired", "The session has run out. Log in again."},
	ReauthenticationRequired: {http.StatusUnauthorized, "Login required again", "The login provider no longer renews this session's access. Log in again."},
	CSRF:                     {http.StatusForbidden, "Request not from this app", "Send the header X-CSRF: 1, from a page of this origin."},
	Forbidden:                {http.StatusForbidden, "Not allowed", "This user is not allowed to do this."},
	NotFound:                 {http.StatusNotFound, "Not found", "There is nothing at this address."},
	InvalidReturnURL:         {http.StatusBadRequest, "Invalid return URL", "returnUrl must be a path on this origin, and not one of the login service itself."},
	InvalidLogout:            {http.StatusBadRequest, "Invalid logout link", "This logout link was not made for the session in this browser. Nothing was changed."},
	InvalidLogoutToken:       {http.StatusBadRequest, "Invalid logout token", "The logout token was refused. No session was ended."},
	UnknownProvider:          {http.StatusNotFound, "Unknown provider", "No login provider of this id is configured."},
	RequestTooLarge:          {http.StatusRequestEntityTooLarge, "Request too large", "The request's body is larger than is accepted here."},
	RateLimited:              {http.StatusTooManyRequests, "Too many requests", "Wait a little and try again."},
	UpstreamUnreachable:      {http.StatusBadGateway, "API unreachable", "The API behind this address can't be reached."},
	ProviderUnreachable:      {http.StatusServiceUnavailable, "Login provider unreachable", "The login provider can't be reached or is failing. Nobody was logged out. Try again in a moment."},
	StoreUnavailable:         {http.StatusServiceUnavailable, "Sessions unavailable", "Sessions can't be looked up at the moment. Nobody was logged out. Try again in a moment."},
	UpstreamTimeout:          {http.StatusGatewayTimeout, "API too slow", "The API behind this address did not answer in time."},
	NavigationRequired:       {http.StatusBadRequest, "Navigation required", "This address is for the browser to load as a page; it can't be fetched, framed or loaded ahead."},
	ProviderMisconfigured:    {http.StatusServiceUnavailable, "Login provider misconfigured", "The login provider refuses this service, not this user. The operator has to mend that. Nobody was logged out."},

	MethodNotAllowed:   {http.StatusMethodNotAllowed, "Method not allowed", "This address does not take this method."},
	BadRequest:         {http.StatusBadRequest, "Bad request", "The request can't be understood."},
	InternalError:      {http.StatusInternalServerError, "Internal error", "Something went wrong here. The request id leads the operator to it."},
	RequestTimeout:     {http.StatusRequestTimeout, "Request not finished", "The rest of the request did not come in time."},
	MisdirectedRequest: {http.StatusMisdirectedRequest, "Misdirected request", "This host name is not served here."},
	NotRenewable:       {http.StatusConflict, "Not renewable", "This session has no refresh token, so its access token can't be renewed. The session goes on."},

	CookiesBlocked:  {http.StatusBadRequest, "Cookies not sent", "The browser sent no cookie back. Cookies must be allowed for this site to log in."},
	AttemptNotFound: {http.StatusBadRequest, "Login not started here", "This login was not started in this browser, or too long ago. Nothing was changed."},
	AttemptExpired:  {http.StatusBadRequest, "Login took too long", "The login was not finished within ten minutes. Start again."},
	AttemptSpent:    {http.StatusBadRequest, "Login already used", "This answer of the login provider was used before. Nothing was changed."},
	InvalidResponse: {http.StatusBadRequest, "Invalid answer of the login provider", "What came back from the login provider does not belong to this login. Nobody was logged in."},
	AccessDenied:    {http.StatusForbidden, "Login declined", "The login was declined at the login provider."},
	ProviderRefused: {http.StatusForbidden, "Login refused", "The login provider refused this login."},
	StepUpRequired:  {http.StatusUnauthorized, "Stronger login required", "This needs a stronger, or a more recent, login. The session goes on meanwhile."},
	StepUpNotMet:    {http.StatusForbidden, "Login not strong enough", "The login provider did not log you in as strongly, or as recently, as was asked. The session you had goes on."},
	IDTokenInvalid:  {http.StatusBadRequest, "Invalid proof of identity", "The login provider's statement about who logged in did not pass the checks. Nobody was logged in."},

	clientGone: {statusClientGone, "Client gone", ""},
}

// A Problem is one answer to an error. It is an error itself, so that handlers return it.
type Problem struct {
	Status   int
	Code     Code
	Title    string // constant per code
	Detail   string // constant text, or names of our own; nothing of a caller's or a provider's
	LoginURL string // of a 401; empty: Write makes it
	// LoginParams are what a login URL that Write makes has to ask for.
	LoginParams url.Values
	RetryAfter  time.Duration
	Err         error // for the log; never shown

	page bool // see AsPage

	login *login.Failure // a failed login has a page of its own
}

// New is the problem of that code. A code that nobody entered in the table is an internal error.
func New(code Code) *Problem {
	w, known := table[code]
	if !known {
		code, w = InternalError, table[InternalError]
	}
	p := &Problem{Status: w.status, Code: code, Title: w.title, Detail: w.detail}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		p.RetryAfter = retryAfter
	}
	return p
}

// Because replaces the detail that callers are shown. It must be a constant text.
func (p *Problem) Because(detail string) *Problem {
	p.Detail = detail
	return p
}

// After says when asking again may do.
func (p *Problem) After(wait time.Duration) *Problem {
	p.RetryAfter = wait
	return p
}

// CausedBy notes the error for the log. Callers never see it.
func (p *Problem) CausedBy(err error) *Problem {
	p.Err = err
	return p
}

// Error implements error, for the log.
func (p *Problem) Error() string {
	if p.Err != nil {
		return string(p.Code) + ": " + p.Err.Error()
	}
	return string(p.Code)
}

// AsPage has the problem answered with a page unless the caller plainly wants something else: for
// places that only browsers are sent to, whatever they say in Accept.
func (p *Problem) AsPage() *Problem {
	p.page = true
	return p
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// FormError is the problem of a form that could not be read: too large, not whole in time, or not a form.
func FormError(err error) error {
	if own := new(Problem); errors.As(err, &own) {
		return own
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return New(RequestTooLarge).CausedBy(err)
	}
	return New(BadRequest).Because("The form can't be read.").CausedBy(err)
}
