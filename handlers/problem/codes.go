package problem

import "net/http"

// A Code is the stable name of a problem; apps decide by it (contract §3).
type Code string

// The codes.
const (
	NotAuthenticated         Code = "not_authenticated"
	SessionExpired           Code = "session_expired"
	ReauthenticationRequired Code = "reauthentication_required"
	CSRF                     Code = "csrf"
	Forbidden                Code = "forbidden"
	NotFound                 Code = "not_found"
	MethodNotAllowed         Code = "method_not_allowed"
	BadRequest               Code = "bad_request"
	InvalidReturnURL         Code = "invalid_return_url"
	InvalidLogout            Code = "invalid_logout"
	InvalidLogoutToken       Code = "invalid_logout_token"
	NavigationRequired       Code = "navigation_required"
	LoginFailed              Code = "login_failed"
	UnknownProvider          Code = "unknown_provider"
	RequestTooLarge          Code = "request_too_large"
	MisdirectedRequest       Code = "misdirected_request"
	RateLimited              Code = "rate_limited"
	InternalError            Code = "internal_error"
	UpstreamUnreachable      Code = "upstream_unreachable"
	ProviderUnreachable      Code = "provider_unreachable"
	ProviderMisconfigured    Code = "provider_misconfigured"
	StoreUnavailable         Code = "store_unavailable"
	UpstreamTimeout          Code = "upstream_timeout"
)

// kinds says of each code what it is answered with. The words are for an app's developer; people
// read the pages.
var kinds = map[Code]struct {
	status        int
	title, detail string
}{
	NotAuthenticated:         {http.StatusUnauthorized, "Nobody is logged in", "Log in at login_url."},
	SessionExpired:           {http.StatusUnauthorized, "The session has run out", "Log in again at login_url."},
	ReauthenticationRequired: {http.StatusUnauthorized, "A new login is needed", "The provider no longer renews this session's tokens. Log in again at login_url."},
	CSRF:                     {http.StatusForbidden, "The request can't be told from a forged one", "Send the header X-CSRF: 1, from a page of this very origin."},
	Forbidden:                {http.StatusForbidden, "This user may not do that", "The route demands something that this login does not have."},
	NotFound:                 {http.StatusNotFound, "There is nothing here", "Check the address."},
	MethodNotAllowed:         {http.StatusMethodNotAllowed, "The method is not allowed here", "The Allow header names the methods that are."},
	BadRequest:               {http.StatusBadRequest, "The request can't be read", "It is malformed, or could be read in more than one way."},
	InvalidReturnURL:         {http.StatusBadRequest, "The returnUrl is not a path of this app", "Give one path on this origin, such as /inbox, outside of the login endpoints."},
	InvalidLogout:            {http.StatusBadRequest, "The logout link is not this session's", "Take bff:logout_url from the user endpoint anew. Nobody was logged out."},
	InvalidLogoutToken:       {http.StatusBadRequest, "The logout token is not valid", "It breaks a rule of OpenID Connect Back-Channel Logout. No session was ended."},
	NavigationRequired:       {http.StatusBadRequest, "This address is for navigating to", "Set location.href to it; it can't be fetched, framed or prefetched."},
	LoginFailed:              {http.StatusBadRequest, "The login did not work", "Start it again."},
	UnknownProvider:          {http.StatusNotFound, "There is no such provider", "Name exactly one provider that is configured here."},
	RequestTooLarge:          {http.StatusRequestEntityTooLarge, "The request is too large", "Send less."},
	MisdirectedRequest:       {http.StatusMisdirectedRequest, "This host name is not served here", "Use the public address; a proxy in front must pass the public Host on."},
	RateLimited:              {http.StatusTooManyRequests, "Too many requests", "Wait for as long as Retry-After says."},
	InternalError:            {http.StatusInternalServerError, "Something went wrong in this service", "Its log has a line with this request_id."},
	UpstreamUnreachable:      {http.StatusBadGateway, "The API can't be reached", "Nobody was logged out. Try again later."},
	ProviderUnreachable:      {http.StatusServiceUnavailable, "The login provider can't be reached", "Nobody was logged out. Try again after Retry-After."},
	ProviderMisconfigured:    {http.StatusServiceUnavailable, "The login provider does not accept this service", "Nobody was logged out. This is for the operator: the log has a line with this request_id."},
	StoreUnavailable:         {http.StatusServiceUnavailable, "The session store can't be reached", "Nobody was logged out. Try again after Retry-After."},
	UpstreamTimeout:          {http.StatusGatewayTimeout, "The API took too long", "It did not begin to answer in time."},
}
