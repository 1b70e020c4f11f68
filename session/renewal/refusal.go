package renewal

import (
	"errors"
	"net/http"
	"slices"

	"github.com/cloakroom/cloakroom/provider"
)

// loginCodes are the error codes of a provider that wants the user to log in. Those of OIDC Core
// §3.1.2.6 are sent by some providers in answer to a renewal. With the others, providers say that
// the user's consent is over although the refresh token is still good (RFC 6749 §4.1.2.1, RFC 6750
// §3.1, RFC 8628 §3.5).
var loginCodes = []string{
	"interaction_required", "login_required", "consent_required", "account_selection_required",
	"access_denied", "invalid_token", "expired_token",
}

func wantsLogin(err error) bool { return slices.Contains(loginCodes, codeOf(err)) }

// isOperators reports whether an operator must correct the error: the provider refuses this client,
// or the parameters of its request. No user can do anything about it.
func isOperators(err error) bool {
	code := codeOf(err)
	return errors.Is(err, provider.ErrMisconfigured) ||
		code == "invalid_scope" || code == "invalid_request"
}

// remedy tells operators what to do about an error that is theirs; it returns "" for any other.
func remedy(err error) string {
	if !errors.Is(err, provider.ErrMisconfigured) {
		return ""
	}
	switch codeOf(err) {
	case "invalid_client":
		return "check client_id, client_secret and client_auth of this provider " +
			"against what is registered there"
	case "unauthorized_client", "unsupported_grant_type":
		return "allow this client the refresh_token grant at the provider, or set refresh: off for it"
	case "invalid_scope":
		return "compare scopes of this provider with what this client may ask for there"
	case "invalid_request":
		return "check client_auth of this provider, " +
			"and at the provider what its log says of the token request"
	}
	return "run cloakroom check"
}

// codeOf returns the error code of RFC 6749 §5.2 that a provider answered, "" without one.
func codeOf(err error) string {
	if refusal, ok := errors.AsType[*provider.OAuthError](err); ok {
		return refusal.Code
	}
	return ""
}

// A refusalKind says whether an error may be about one session.
type refusalKind int

const (
	noRefusal refusalKind = iota // no answer, or one that asks to try later
	refusal                      // 4xx: about this request
	breakdown                    // 5xx: about this request or about the provider
)

// kindOf classifies errors whose code does not tell.
func kindOf(err error) refusalKind {
	if codeOf(err) != "" {
		return refusal
	}
	u, ok := errors.AsType[*provider.UnreachableError](err)
	if !ok {
		return noRefusal
	}
	switch {
	// The request was too slow or too early, or there were too many of them.
	case u.Status == http.StatusRequestTimeout,
		u.Status == http.StatusTooEarly,
		u.Status == http.StatusTooManyRequests:
		return noRefusal
	case u.Status >= 500:
		return breakdown
	case u.Status >= 400:
		return refusal
	}
	return noRefusal
}
