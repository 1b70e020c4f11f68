package login

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/site"
)

// A ParameterError means that a login request has a parameter, or a value of one, that is not
// allowed. Nothing was started.
type ParameterError struct {
	Name   string // a name that this package knows, never the caller's text
	Reason string // our own text
}

// Error implements error.
func (e *ParameterError) Error() string { return "parameter " + e.Name + " " + e.Reason }

// Problem returns the answer to the browser.
func (e *ParameterError) Problem() *problem.Problem {
	return problem.New(problem.BadRequest).
		WithDetail("The parameter " + e.Name + " " + e.Reason + ".")
}

// forwarded are the parameters that a caller may pass to the provider, each with a check of its
// value (OIDC Core §3.1.2.1).
var forwarded = map[string]func(string) bool{
	"prompt":     validPrompt,
	"login_hint": validText,
	"acr_values": validText,
	"max_age":    validMaxAge,
	"ui_locales": validText,
}

// fixed are the parameters that callers can't choose. A caller that sends one expects it to have an
// effect, so the request is refused instead of ignoring the parameter.
var fixed = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "resource", "audience",
	"claims", "registration", "id_token_hint", "authorization_details", "dpop_jkt",
}

// own are the parameters of the login endpoint itself.
var own = []string{"returnUrl", "provider", StepUp}

// StepUp is the parameter of the login endpoint that makes a login a step-up: acr_values must be
// met, and the browser's session continues (RFC 9470 §5).
const StepUp = "step_up"

// allowed returns the parameters of a caller's query that may go to the provider. It ignores
// unknown names: a page's own parameters (utm_source) must not prevent a login.
func allowed(query url.Values) (url.Values, error) {
	for _, name := range fixed {
		if query.Has(name) {
			return nil, &ParameterError{name, "can't be chosen by a caller"}
		}
	}
	for _, name := range own {
		if len(query[name]) > 1 {
			return nil, &ParameterError{name, "is repeated"}
		}
	}
	out := url.Values{}
	if query.Get(StepUp) != "" {
		out.Set(StepUp, "1") // expect removes it
	}
	for name, valid := range forwarded {
		switch values := query[name]; {
		case len(values) > 1:
			return nil, &ParameterError{name, "is repeated"} // RFC 6749 §3.1
		case len(values) == 0 || values[0] == "":
			// An empty value counts as omitted (RFC 6749 §3.1).
		case !valid(values[0]):
			return nil, &ParameterError{name, "has a value that is not allowed"}
		default:
			out.Set(name, values[0])
		}
	}
	return out, nil
}

func validText(s string) bool {
	return len(s) <= 512 && utf8.ValidString(s) && !strings.ContainsFunc(s, site.Hidden)
}

func validMaxAge(s string) bool {
	return len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}

// validPrompt accepts known values, each at most once; none must stand alone (OIDC Core §3.1.2.1).
func validPrompt(s string) bool {
	known := []string{"none", "login", "consent", "select_account"}
	prompts := strings.Split(s, " ")
	for i, p := range prompts {
		if !slices.Contains(known, p) || slices.Contains(prompts[:i], p) {
			return false
		}
		if p == "none" && len(prompts) > 1 {
			return false
		}
	}
	return true
}

// expect records in a what the ID token must prove, according to the parameters that are sent. The
// operator's parameters take precedence over the caller's, except prompt and those whose names
// expect returns.
//
// acr_values is voluntary (OIDC Core §5.5.1.1) and not checked, except for a step-up: the app can
// check acr. An operator who requires certain values sends the claims parameter.
func (a *attempt) expect(params url.Values, c provider.Config) (outranking []string) {
	if a.StepUp = params.Get(StepUp) != ""; a.StepUp {
		params.Del(StepUp)
		outranking = a.outranking(params, c)
	}
	sent := func(name string) string {
		if operators, ok := c.AuthParams[name]; ok && !slices.Contains(outranking, name) {
			return operators
		}
		return params.Get(name)
	}
	if seconds, ok := maxAgeIn(sent("max_age")); ok {
		a.MaxAge = &seconds
	}
	prompt := params.Get("prompt")
	if prompt == "" {
		prompt = c.AuthParams["prompt"]
	}
	a.PromptLogin = slices.Contains(strings.Fields(prompt), "login")
	a.ACR = essentialACR(c.AuthParams["claims"])
	if a.StepUp {
		a.ACR = narrowed(a.ACR, strings.Fields(sent("acr_values")))
	}
	return outranking
}

// outranking returns the names of a step-up's parameters that take precedence over the operator's:
// a smaller max_age, and acr_values. Values that the operator does not ask for may be weaker, so
// they count only for a session that continues. A parameter that the operator has set to an empty
// value is never sent.
func (a *attempt) outranking(params url.Values, c provider.Config) (names []string) {
	asked, ok := maxAgeIn(params.Get("max_age"))
	if operators, set := maxAgeIn(c.AuthParams["max_age"]); ok && set && asked < operators {
		names = append(names, "max_age")
	}
	operators := strings.Fields(c.AuthParams["acr_values"])
	values := strings.Fields(params.Get("acr_values"))
	other := slices.ContainsFunc(values, func(acr string) bool {
		return !slices.Contains(operators, acr)
	})
	if len(operators) > 0 && len(values) > 0 && (!other || a.Previous != "") {
		names, a.OtherACR = append(names, "acr_values"), other
	}
	return names
}

func maxAgeIn(s string) (seconds int64, ok bool) {
	if s == "" || !validMaxAge(s) {
		return 0, false
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return seconds, err == nil
}

// narrowed returns the acr values of which a step-up must prove one, given those that the operator
// requires and those that the step-up asks for. Anybody can link to a step-up, so it must not
// replace what the operator requires.
func narrowed(essential, asked []string) []string {
	if len(essential) == 0 {
		return asked
	}
	both := slices.DeleteFunc(slices.Clone(essential), func(acr string) bool {
		return !slices.Contains(asked, acr)
	})
	if len(both) == 0 {
		return essential // nothing meets both; the API that asked for more will do so again
	}
	return both
}

// essentialACR returns the values of acr that the claims parameter requires (OIDC Core §5.5.1.1),
// nil if it requires none.
func essentialACR(claims string) []string {
	var request struct {
		IDToken struct {
			ACR struct {
				Essential bool     `json:"essential"`
				Value     string   `json:"value"`
				Values    []string `json:"values"`
			} `json:"acr"`
		} `json:"id_token"`
	}
	if claims == "" || json.Unmarshal([]byte(claims), &request) != nil ||
		!request.IDToken.ACR.Essential {
		return nil
	}
	if acr := request.IDToken.ACR; acr.Value != "" {
		return append(acr.Values, acr.Value)
	}
	return request.IDToken.ACR.Values
}
