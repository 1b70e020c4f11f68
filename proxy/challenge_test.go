package proxy

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestChallengesAreReadAsRFC9110HasThem(t *testing.T) {
	type params = map[string]string
	for _, c := range []struct {
		lines []string
		want  []challenge
	}{
		{nil, nil},
		{[]string{"", " , ,"}, nil},
		{[]string{"Bearer"}, []challenge{{"bearer", params{}}}},
		{
			[]string{`Basic realm="x", Bearer error="invalid_token"`},
			[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"error": "invalid_token"}}},
		},
		// The example of §11.6.1.
		{
			[]string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
			[]challenge{
				{"basic", params{"realm": "simple"}},
				{"newauth", params{"realm": "apps", "type": "1", "title": `Login to "apps"`}},
			},
		},
		{[]string{`Negotiate, Bearer error="a"`}, []challenge{{"negotiate", params{}}, {"bearer", params{"error": "a"}}}},
		{[]string{`Negotiate YII/a+b==, Bearer`}, []challenge{{"negotiate", params{}}, {"bearer", params{}}}},
		{[]string{`NTLM TlRM , bEARER ERROR=a`}, []challenge{{"ntlm", params{}}, {"bearer", params{"error": "a"}}}},
		{
			[]string{`Basic realm="a, Bearer error=\"x\"", charset="UTF-8"`},
			[]challenge{{"basic", params{"realm": `a, Bearer error="x"`, "charset": "UTF-8"}}},
		},
		{
			[]string{`Basic realm="a\\", Bearer error="\i\\"`},
			[]challenge{{"basic", params{"realm": `a\`}}, {"bearer", params{"error": `i\`}}},
		},
		{[]string{"Bearer\terror = \"x\" ,, max_age\t=5 ,"}, []challenge{{"bearer", params{"error": "x", "max_age": "5"}}}},
		{
			[]string{`Basic realm="x"`, `Bearer error="y"`},
			[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"error": "y"}}},
		},
		{[]string{`Bearer realm="x"`, `error="y"`}, []challenge{{"bearer", params{"realm": "x", "error": "y"}}}}, // one list (§5.3)
		{[]string{`Bearer error="a", error="b"`}, []challenge{{"bearer", params{"error": "a"}}}},
		// What is not the grammar.
		{[]string{`Bearer realm="x" error="y"`}, []challenge{{"bearer", params{"realm": "x", "error": "y"}}}},
		{[]string{`Bearer realm=My API, error="y"`}, []challenge{{"bearer", params{"realm": "My", "error": "y"}}}},
		{
			[]string{`Bearer resource=https://a.example/x?y=z, error="y"`},
			[]challenge{{"bearer", params{"resource": "https://a.example/x?y=z", "error": "y"}}},
		},
		{[]string{`error="y"`, `Bearer`}, []challenge{{"bearer", params{}}}},
		{[]string{`Bearer error="y`, `Basic`}, []challenge{{"bearer", params{}}, {"basic", params{}}}},
		{[]string{`"Bearer error=x, y", Basic`, `Bearer error="\`}, []challenge{{"basic", params{}}, {"bearer", params{}}}},
		{[]string{`@, Bearer @, Basic`}, []challenge{{"bearer", params{}}, {"basic", params{}}}},
	} {
		if got := challenges(c.lines); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q =\n%v, want\n%v", c.lines, got, c.want)
		}
	}
}

func TestWhatAnAPIsChallengeAsksFor(t *testing.T) {
	for line, want := range map[string]struct{ blames, stepUp bool }{
		`Bearer`:               {true, false},
		`Basic realm="x"`:      {false, false},
		`Bearer realm="error"`: {true, false},
		`Basic realm="x", Bearer error="invalid_token", error_description="It, \"too\", ran out"`: {true, false},
		`Negotiate abc=, Bearer realm="x"`:                                                   {true, false},
		`Bearer error="insufficient_scope", error_description="no invalid_token"`:            {false, false},
		`Basic realm="Bearer error=invalid_token"`:                                           {false, false},
		`Basic realm="x", Bearer error="insufficient_user_authentication", acr_values="a b"`: {false, true},
		`Negotiate, DPoP algs="ES256", error="insufficient_user_authentication"`:             {false, true},
		`Basic error="insufficient_user_authentication"`:                                     {false, false},
	} {
		res := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {line}}}
		ask, wanted := wantsStepUp(res)
		if blames := rejectsToken(res); blames != want.blames || wanted != want.stepUp {
			t.Errorf("%s: blames the token = %v, wants a step-up = %v; want %v", line, blames, wanted, want)
		}
		if strings.Contains(line, "acr_values") && ask.Get("acr_values") != "a b" {
			t.Errorf("%s: asks for %v", line, ask)
		}
	}
}

// What was read and is written again, by the book, reads the same.
func FuzzChallenges(f *testing.F) {
	for _, line := range []string{
		`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`,
		`Negotiate YII/a+b==, Bearer error=x`, `a b"c\`, "\"", "=,=a=",
	} {
		f.Add(line, line)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		all := challenges([]string{one, two})
		var again []string
		for _, c := range all {
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) {
				t.Errorf("scheme %q", c.scheme)
			}
			var params []string
			for name, value := range c.params {
				params = append(params, fmt.Sprintf(`%s="%s"`, name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)))
			}
			again = append(again, strings.TrimSpace(c.scheme+" "+strings.Join(params, ", ")))
		}
		joined := strings.Join(again, ", ")
		if got := challenges([]string{joined}); !reflect.DeepEqual(got, all) {
			t.Errorf("%q, %q =\n%v, and written as %q\n%v", one, two, all, joined, got)
		}
	})
}
