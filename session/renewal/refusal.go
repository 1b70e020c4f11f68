package renewal

import (
	"errors"
	"net/http"
	"slices"

	"github.com/cloakroom/cloakroom/provider"
)

// loginCodes are the errors that say that the provider wants to see the user: those of OIDC Core
// §3.1.2.6, which some providers answer to a renewal as well, and those by which others say that what
// the user once allowed is over, though the refresh token is not (RFC 6749 §4.1.2.1, RFC 6750 §3.1,
// RFC 8628 §3.5).
var loginCodes = []string{
	"interaction_required", "login_required", "consent_required", "account_selection_required",
	"access_denied", "invalid_token", "expired_token",
}

func wantsLogin(err error) bool { return slices.Contains(loginCodes, codeOf(err)) }

// isOperators reports whether an error is for an operator to mend: the provider refuses this client,
// or what it asks for. No user can do anything about it, and none is asked to.
func isOperators(err error) bool {
	code := codeOf(err)
	return errors.Is(err, provider.ErrMisconfigured) || code == "invalid_scope" || code == "invalid_request"
}

// remedy is what an operator can do about an error of theirs; "" for any other.
func remedy(err error) string {
	if !errors.Is(err, provider.ErrMisconfigured) {
		return ""
	}
	switch codeOf(err) {
	case "invalid_client":
		return "check client_id, client_secret and client_auth of this provider against what is registered there"
	case "unauthorized_client", "unsupported_grant_type":
		return "allow this client the refresh_token grant at the provider, or set refresh: off for it"
	case "invalid_scope":
		return "compare scopes of this provider with what this client may ask for there"
	case "invalid_request":
		return "check client_auth of this provider, and at the provider what its log says of the token request"
	}
	return "run cloakroom check"
}

// codeOf is the code of RFC 6749 §5.2 that a provider answered, "" without one.
func codeOf(err error) string {
	if refusal, ok := errors.AsType[*provider.OAuthError](err); ok {
		return refusal.Code
	}
	return ""
}

// A refusalKind is how sure an error is about this session.
type refusalKind int

const (
	noRefusal refusalKind = iota // nothing was answered, or that it will pass
	refusal                      // 4xx: this request
	breakdown                    // 5xx: perhaps this request, perhaps the provider
)

// kindOf sorts errors whose words say nothing.
func kindOf(err error) refusalKind {
	if codeOf(err) != "" {
		return refusal
	}
	u, ok := errors.AsType[*provider.UnreachableError](err)
	if !ok {
		return noRefusal
	}
	switch {
	case u.Status == http.StatusRequestTimeout, u.Status == http.StatusTooEarly, u.Status == http.StatusTooManyRequests:
		return noRefusal // asked too slowly, too early, too often
	case u.Status >= 500:
		return breakdown
	case u.Status >= 400:
		return refusal
	}
	return noRefusal
}
