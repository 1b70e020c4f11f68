package login

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/provider"
)

// LS8: what goes on to the provider is picked from a short list; the rest of a query changes
// nothing or is refused.
func TestCallersChooseFromAListOfParameters(t *testing.T) {
	const refused = "refused"
	for query, want := range map[string]string{
		"":                                   "",
		"returnUrl=/x&provider=main":         "",
		"prompt=login&max_age=60":            "max_age=60&prompt=login",
		"login_hint=alice%40example.com":     "login_hint=alice%40example.com",
		"login_hint=a%26scope%3Dadmin":       "login_hint=a%26scope%3Dadmin", // stays one value
		"login_hint=%E6%9D%B1":               "login_hint=%E6%9D%B1",
		"acr_values=a+b&ui_locales=ja+en-GB": "acr_values=a+b&ui_locales=ja+en-GB",
		"utm_source=x&utm_source=y":          "",
		"prompt=":                            "",
		"prompt=consent+select_account":      "prompt=consent+select_account",
		"prompt=none":                        "prompt=none",

		"prompt=none+login":                      refused,
		"prompt=login+login":                     refused,
		"prompt=login++consent":                  refused,
		"prompt=create":                          refused,
		"prompt=LOGIN":                           refused,
		"max_age=-1":                             refused,
		"max_age=1.5":                            refused,
		"max_age=1e3":                            refused,
		"max_age=+60":                            refused,
		"max_age=9999999999":                     refused,
		"login_hint=" + strings.Repeat("a", 513): refused,
		"login_hint=a%0d%0ab":                    refused,
		"login_hint=%ff":                         refused,
		"login_hint=%E2%80%AE":                   refused,
		"ui_locales=%00":                         refused,
		"acr_values=" + url.QueryEscape("a\tb"):  refused,
		"client_id=x":                            refused,
		"redirect_uri=https://e.test":            refused,
		"response_type=token":                    refused,
		"response_mode=fragment":                 refused,
		"scope=admin":                            refused,
		"state=x":                                refused,
		"nonce=x":                                refused,
		"code_challenge=x":                       refused,
		"code_challenge_method=plain":            refused,
		"request=x":                              refused,
		"request_uri=https://e.test":             refused,
		"resource=https://e.test":                refused,
		"claims={}":                              refused,
		"id_token_hint=x":                        refused,
		"registration={}":                        refused,
		"audience=x":                             refused,
		"authorization_details=[]":               refused,
		"dpop_jkt=x":                             refused,
		"scope=":                                 refused,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := allowed(values)
		if parameter := new(ParameterError); err != nil && !errors.As(err, &parameter) {
			t.Errorf("%q: %v is no ParameterError", query, err)
		}
		if want == refused {
			if err == nil {
				t.Errorf("%q is let through as %q", query, got.Encode())
			}
			continue
		}
		if err != nil || got.Encode() != want {
			t.Errorf("%q = %q, %v; want %q", query, got.Encode(), err, want)
		}
	}
}

// LS8: each name once, whether it is passed on, ours or forbidden.
func TestRepeatedParametersAreRefused(t *testing.T) {
	for _, name := range slices.Concat(fixed, own, []string{"prompt", "login_hint", "acr_values", "max_age", "ui_locales"}) {
		if _, err := allowed(url.Values{name: {"1", "1"}}); err == nil {
			t.Errorf("%s twice is accepted", name)
		}
	}
}

// ID12: what has to be proved in the end is what was really sent.
func TestExpectationIsWhatWasSent(t *testing.T) {
	operator := func(params ...string) provider.Config {
		c := provider.Config{AuthParams: map[string]string{}}
		for i := 0; i < len(params); i += 2 {
			c.AuthParams[params[i]] = params[i+1]
		}
		return c
	}
	for _, c := range []struct {
		name   string
		caller string
		config provider.Config
		maxAge int64 // -1: none
		login  bool
		acr    string
	}{
		{"nothing asked", "", operator(), -1, false, ""},
		{"caller's", "max_age=60&prompt=login&acr_values=mfa", operator(), 60, true, ""},
		{"zero is a max_age", "max_age=0", operator(), 0, false, ""},
		{"operator's max_age wins", "max_age=60", operator("max_age", "5"), 5, false, ""},
		{"operator keeps it out", "max_age=60", operator("max_age", ""), -1, false, ""},
		{"caller's prompt wins", "prompt=consent", operator("prompt", "login"), -1, false, ""},
		{"operator's prompt", "", operator("prompt", "login consent"), -1, true, ""},
		{"essential acr", "", operator("claims", `{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`), -1, false, "a b"},
		{"one essential acr", "", operator("claims", `{"id_token":{"acr":{"essential":true,"value":"a"}}}`), -1, false, "a"},
		{"voluntary acr", "", operator("claims", `{"id_token":{"acr":{"values":["a"]}}}`, "acr_values", "x"), -1, false, ""},
		{"a step-up's acr", "step_up=1&acr_values=a+b", operator(), -1, false, "a b"},
		{
			"a step-up can't lower what the operator insists on", "step_up=1&acr_values=weak",
			operator("claims", `{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`),
			-1, false, "a b",
		},
		{
			"a step-up can raise it", "step_up=1&acr_values=b+c",
			operator("claims", `{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`),
			-1, false, "b",
		},
		{"a step-up's smaller max_age", "step_up=1&max_age=60", operator("max_age", "3600"), 60, false, ""},
		{"a step-up's larger max_age", "step_up=1&max_age=60", operator("max_age", "0"), 0, false, ""},
		{"a step-up's max_age where the operator keeps it out", "step_up=1&max_age=60", operator("max_age", ""), -1, false, ""},
		{"one of the operator's acr_values", "step_up=1&acr_values=b", operator("acr_values", "a b"), -1, false, "b"},
		{"other acr_values, without a session", "step_up=1&acr_values=c", operator("acr_values", "a b"), -1, false, "a b"},
		{"claims of another kind", "", operator("claims", `nonsense`), -1, false, ""},
	} {
		query, err := url.ParseQuery(c.caller)
		if err != nil {
			t.Fatal(err)
		}
		params, err := allowed(query)
		if err != nil {
			t.Fatal(err)
		}
		a := new(attempt)
		a.expect(params, c.config)
		got := int64(-1)
		if d := a.maxAge(); d != nil {
			got = int64(d.Seconds())
		}
		if got != c.maxAge || a.PromptLogin != c.login || strings.Join(a.ACR, " ") != c.acr {
			t.Errorf("%s: max_age %d, prompt=login %v, acr %q", c.name, got, a.PromptLogin, a.ACR)
		}
	}
}
