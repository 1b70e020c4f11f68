package login

import (
	"net/url"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
)

// Bounds on what an authorization response may bring; codes of large providers are JWTs of 2 KB.
const (
	maxCode  = 8 << 10
	maxState = 256
)

// A response is an authorization response (OIDC Core §3.1.2.5, §3.1.2.6), with each parameter once.
type response struct {
	code         secret.Value
	iss          string
	hasIss       bool
	sessionState string // OIDC Session Management §2

	failed           bool // an error response
	errorCode        string
	errorDescription string
}

// stateOf is the one state of a response, "" when there is none to find an attempt by.
func stateOf(params url.Values) string {
	if states := params["state"]; len(states) == 1 && len(states[0]) <= maxState {
		return states[0]
	}
	return ""
}

// readResponse reads a response and refuses what is ambiguous: a repeated parameter (RFC 6749 §3.1),
// a code beside an error, or neither. error_uri is left alone: no page of ours links to it.
func readResponse(params url.Values) (response, *Failure) {
	for _, name := range []string{"code", "state", "iss", "error", "error_description", "error_uri", "session_state"} {
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
		failed:       failed, errorCode: visible(params.Get("error")), errorDescription: visible(params.Get("error_description")),
	}, nil
}

// checkIssuer is RFC 9207 §2.4: the issuer in the response must be the one that the request went to,
// by simple string comparison (of an issuer template, one of its tenants', which the ID token must then name, too), and must be there when the provider announces it. It comes before the
// code leaves for anywhere, and before an error is believed.
func (r response) checkIssuer(p *provider.Provider, m *provider.Metadata) *Failure {
	if r.hasIss && !p.IssuedBy(r.iss) {
		return broken(problem.InvalidResponse, "iss")
	}
	if !r.hasIss && m.IssParameterSupported {
		return broken(problem.InvalidResponse, "iss missing")
	}
	return nil
}

// refusal is the error response as a Failure (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
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
