package login

import (
	"net/url"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
)

// These limits bound an authorization response; large providers use JWTs of 2 KB as codes.
const (
	maxCode  = 8 << 10
	maxState = 256
)

// A response is an authorization response (OIDC Core §3.1.2.5, §3.1.2.6). No parameter was
// repeated.
type response struct {
	code         secret.Value
	iss          string
	hasIss       bool
	sessionState string // OIDC Session Management §2

	failed           bool // an error response
	errorCode        string
	errorDescription string
}

// stateOf returns the state of a response, "" if it has none or several, or one that is too long.
func stateOf(params url.Values) string {
	if states := params["state"]; len(states) == 1 && len(states[0]) <= maxState {
		return states[0]
	}
	return ""
}

// readResponse refuses a response that is ambiguous: with a repeated parameter (RFC 6749 §3.1),
// with both a code and an error, or with neither. It ignores error_uri, because no page of ours
// links to it.
func readResponse(params url.Values) (response, *Failure) {
	for _, name := range []string{
		"code", "state", "iss", "error", "error_description", "error_uri", "session_state",
	} {
		if len(params[name]) > 1 {
			return response{}, broken(problem.InvalidResponse, "repeated "+name)
		}
	}
	code, failed := params.Get("code"), params.Has("error")
	switch {
	case failed && params.Has("code"):
		return response{}, broken(problem.InvalidResponse, "code with error")
	case !failed && code == "":
		return response{}, broken(problem.InvalidResponse, "no code")
	case len(code) > maxCode:
		return response{}, broken(problem.InvalidResponse, "oversized code")
	}
	return response{
		code: secret.New(code),
		iss:  params.Get("iss"), hasIss: params.Has("iss"),
		sessionState: visible(params.Get("session_state")),
		failed:       failed, errorCode: visible(params.Get("error")),
		errorDescription: visible(params.Get("error_description")),
	}, nil
}

// checkIssuer implements RFC 9207 §2.4. The response must name the issuer that the request went to,
// by simple string comparison, and must name one at all if the provider's metadata promises it. At
// a provider with an issuer template, any tenant's issuer fits; the ID token must then name the
// same one. The check comes before the code is sent anywhere, and before an error is believed.
func (r response) checkIssuer(p *provider.Provider, m *provider.Metadata) *Failure {
	if r.hasIss && !p.IssuedBy(r.iss) {
		return broken(problem.InvalidResponse, "iss")
	}
	if !r.hasIss && m.IssParameterSupported {
		return broken(problem.InvalidResponse, "iss missing")
	}
	return nil
}

// refusal turns an error response into a Failure (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
func (r response) refusal() *Failure {
	f := &Failure{Kind: problem.ProviderRefused, Code: r.errorCode, Description: r.errorDescription}
	switch r.errorCode {
	case "access_denied":
		f.Kind = problem.AccessDenied
	case "server_error", "temporarily_unavailable":
		f.Kind = problem.ProviderUnreachable
	case "unauthorized_client", "unsupported_response_type", "invalid_scope":
		f.Kind = problem.ProviderMisconfigured
	}
	return f
}
