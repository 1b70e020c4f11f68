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

// A ParameterError is a login request that names a parameter it may not, or gives one a value it may
// not have. Nothing was started.
type ParameterError struct {
	Name   string // one of the names that this package knows, never the caller's text
	Reason string // in our words
}

// Error implements error.
func (e *ParameterError) Error() string { return "parameter " + e.Name + " " + e.Reason }

// Problem is what it is answered with.
func (e *ParameterError) Problem() *problem.Problem {
	return problem.New(problem.BadRequest).WithDetail("The parameter " + e.Name + " " + e.Reason + ".")
}

// passedOn are the parameters that a caller may hand to the provider, with the check on each value
// (OIDC Core §3.1.2.1).
var passedOn = map[string]func(string) bool{
	"prompt":     validPrompt,
	"login_hint": validText,
	"acr_values": validText,
	"max_age":    validMaxAge,
	"ui_locales": validText,
}

// fixed are the parameters that make the authorization request ours. A caller who sends one wants it
// changed, so the request is refused rather than quietly answered with something else.
var fixed = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "resource", "audience", "claims",
	"registration", "id_token_hint", "authorization_details", "dpop_jkt",
}

// ours are the parameters of the login endpoint itself.
var ours = []string{"returnUrl", "provider", StepUp}

// StepUp is the parameter of the login endpoint that makes acr_values a demand instead of a wish, and the login one
// that the browser's session goes on with (RFC 9470 §5).
const StepUp = "step_up"

// allowed picks from a caller's query what may go to the provider. Names that nobody knows are left
// out: a page's own marks (utm_source) shall not stop a login.
func allowed(query url.Values) (url.Values, error) {
	for _, name := range fixed {
		if query.Has(name) {
			return nil, &ParameterError{name, "can't be chosen by a caller"}
		}
	}
	for _, name := range ours {
		if len(query[name]) > 1 {
			return nil, &ParameterError{name, "is repeated"}
		}
	}
	out := url.Values{}
	if query.Get(StepUp) != "" {
		out.Set(StepUp, "1") // expect takes it out again
	}
	for name, valid := range passedOn {
		switch values := query[name]; {
		case len(values) > 1:
			return nil, &ParameterError{name, "is repeated"} // RFC 6749 §3.1
		case len(values) == 0 || values[0] == "": // sent without a value: as if omitted (RFC 6749 §3.1)
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

// validPrompt: known values, each once; none stands alone (OIDC Core §3.1.2.1).
func validPrompt(s string) bool {
	prompts := strings.Split(s, " ")
	for i, p := range prompts {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) || slices.Contains(prompts[:i], p) {
			return false
		}
		if p == "none" && len(prompts) > 1 {
			return false
		}
	}
	return true
}

// expect notes in a what the ID token will have to prove, from what is really sent: the operator's
// parameters win over the caller's, except for prompt and for what it returns the names of.
//
// acr_values is a wish (OIDC Core §5.5.1.1 makes it a voluntary claim), and not checked, but for a step-up: the
// app sees acr. An operator who insists asks through the claims parameter.
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

// outranking are a step-up's parameters that win over the operator's: a smaller max_age, and acr_values. Values that
// the operator does not ask for may be weaker, and stand for a session that goes on alone. What the operator keeps
// out, by an empty value, stays out.
func (a *attempt) outranking(params url.Values, c provider.Config) (names []string) {
	asked, ok := maxAgeIn(params.Get("max_age"))
	if operators, set := maxAgeIn(c.AuthParams["max_age"]); ok && set && asked < operators {
		names = append(names, "max_age")
	}
	operators, values := strings.Fields(c.AuthParams["acr_values"]), strings.Fields(params.Get("acr_values"))
	other := slices.ContainsFunc(values, func(acr string) bool { return !slices.Contains(operators, acr) })
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

// narrowed is what a login has to prove when the operator insists on one of some acr values and a step-up on one of
// others. Anybody can write a step-up's URL, so it must not take the place of what the operator wants.
func narrowed(essential, asked []string) []string {
	if len(essential) == 0 {
		return asked
	}
	both := slices.DeleteFunc(slices.Clone(essential), func(acr string) bool { return !slices.Contains(asked, acr) })
	if len(both) == 0 {
		return essential // nothing meets both; what asked for more will say so again
	}
	return both
}

// essentialACR are the values of acr that the claims parameter insists on (OIDC Core §5.5.1.1); nil
// when it does not.
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
	if claims == "" || json.Unmarshal([]byte(claims), &request) != nil || !request.IDToken.ACR.Essential {
		return nil
	}
	if acr := request.IDToken.ACR; acr.Value != "" {
		return append(acr.Values, acr.Value)
	}
	return request.IDToken.ACR.Values
}
