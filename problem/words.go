package problem

import "net/http"

// statusClientGone is the status that nginx logs for a closed connection. It is never sent.
const statusClientGone = 499

type words struct {
	status        int
	title, detail string
}

// table has the answer for each code. Failed logins are 400 or 403 even if the provider's response
// was the reason: proxies replace the page of a 502 by their own.
var table = map[Code]words{
	NotAuthenticated: {
		http.StatusUnauthorized, "Not logged in",
		"There is no session in this browser. Log in first.",
	},
	SessionExpired: {
		http.StatusUnauthorized, "Session expired",
		"The session has run out. Log in again.",
	},
	ReauthenticationRequired: {
		http.StatusUnauthorized, "Login required again",
		"The login provider no longer renews this session's access. Log in again.",
	},
	CSRF: {
		http.StatusForbidden, "Request not from this app",
		"Send the header X-CSRF: 1, from a page of this origin.",
	},
	Forbidden: {
		http.StatusForbidden, "Not allowed",
		"This user is not allowed to do this.",
	},
	NotFound: {
		http.StatusNotFound, "Not found",
		"There is nothing at this address.",
	},
	InvalidReturnURL: {
		http.StatusBadRequest, "Invalid return URL",
		"returnUrl must be a path on this origin, and not one of the login service itself.",
	},
	InvalidLogout: {
		http.StatusBadRequest, "Invalid logout link",
		"This logout link was not made for the session in this browser. Nothing was changed.",
	},
	InvalidLogoutToken: {
		http.StatusBadRequest, "Invalid logout token",
		"The logout token was refused. No session was ended.",
	},
	UnknownProvider: {
		http.StatusNotFound, "Unknown provider",
		"No login provider of this id is configured.",
	},
	RequestTooLarge: {
		http.StatusRequestEntityTooLarge, "Request too large",
		"The request's body is larger than is accepted here.",
	},
	RateLimited: {
		http.StatusTooManyRequests, "Too many requests",
		"Wait a little and try again.",
	},
	UpstreamUnreachable: {
		http.StatusBadGateway, "API unreachable",
		"The API behind this address can't be reached.",
	},
	ProviderUnreachable: {
		http.StatusServiceUnavailable, "Login provider unreachable",
		"The login provider can't be reached or is failing. Nobody was logged out. Try again in " +
			"a moment.",
	},
	StoreUnavailable: {
		http.StatusServiceUnavailable, "Sessions unavailable",
		"Sessions can't be looked up at the moment. Nobody was logged out. Try again in a moment.",
	},
	UpstreamTimeout: {
		http.StatusGatewayTimeout, "API too slow",
		"The API behind this address did not answer in time.",
	},
	NavigationRequired: {
		http.StatusBadRequest, "Navigation required",
		"This address is for the browser to load as a page; it can't be fetched, framed or " +
			"loaded ahead.",
	},
	ProviderMisconfigured: {
		http.StatusServiceUnavailable, "Login provider misconfigured",
		"The login provider refuses this service, not this user. The operator has to mend that. " +
			"Nobody was logged out.",
	},

	MethodNotAllowed: {
		http.StatusMethodNotAllowed, "Method not allowed",
		"This address does not take this method.",
	},
	BadRequest: {
		http.StatusBadRequest, "Bad request",
		"The request can't be understood.",
	},
	InternalError: {
		http.StatusInternalServerError, "Internal error",
		"Something went wrong here. The request id leads the operator to it.",
	},
	RequestTimeout: {
		http.StatusRequestTimeout, "Request not finished",
		"The rest of the request did not come in time.",
	},
	MisdirectedRequest: {
		http.StatusMisdirectedRequest, "Misdirected request",
		"This host name is not served here.",
	},
	NotRenewable: {
		http.StatusConflict, "Not renewable",
		"This session has no refresh token, so its access token can't be renewed. The session " +
			"goes on.",
	},

	CookiesBlocked: {
		http.StatusBadRequest, "Cookies not sent",
		"The browser sent no cookie back. Cookies must be allowed for this site to log in.",
	},
	AttemptNotFound: {
		http.StatusBadRequest, "Login not started here",
		"This login was not started in this browser, or too long ago. Nothing was changed.",
	},
	AttemptExpired: {
		http.StatusBadRequest, "Login took too long",
		"The login was not finished within ten minutes. Start again.",
	},
	AttemptSpent: {
		http.StatusBadRequest, "Login already used",
		"This answer of the login provider was used before. Nothing was changed.",
	},
	InvalidResponse: {
		http.StatusBadRequest, "Invalid answer of the login provider",
		"What came back from the login provider does not belong to this login. Nobody was logged " +
			"in.",
	},
	AccessDenied: {
		http.StatusForbidden, "Login declined",
		"The login was declined at the login provider.",
	},
	ProviderRefused: {
		http.StatusForbidden, "Login refused",
		"The login provider refused this login.",
	},
	StepUpRequired: {
		http.StatusUnauthorized, "Stronger login required",
		"This needs a stronger, or a more recent, login. The session goes on meanwhile.",
	},
	StepUpNotMet: {
		http.StatusForbidden, "Login not strong enough",
		"The login provider did not log you in as strongly, or as recently, as was asked. The " +
			"session you had goes on.",
	},
	IDTokenInvalid: {
		http.StatusBadRequest, "Invalid proof of identity",
		"The login provider's statement about who logged in did not pass the checks. Nobody was " +
			"logged in.",
	},

	ClientGone: {statusClientGone, "Client gone", ""},
}
