package login

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// CB11: what is ambiguous is refused, nothing is picked.
func TestAmbiguousResponsesAreRefused(t *testing.T) {
	long := strings.Repeat("c", 64<<10)
	for query, want := range map[string]string{
		"code=a&state=s":                                          "",
		"error=access_denied&state=s":                             "",
		"code=a&code=b&state=s":                                   "repeated code",
		"code=a&code=a&state=s":                                   "repeated code",
		"code=a&state=s&state=s":                                  "repeated state",
		"code=a&state=s&iss=x&iss=x":                              "repeated iss",
		"error=a&error=b&state=s":                                 "repeated error",
		"error=a&error_description=x&error_description=y&state=s": "repeated error_description",
		"code=a&session_state=x&session_state=y":                  "repeated session_state",
		"code=a&error=b&state=s":                                  "code with error",
		"code=&error=b&state=s":                                   "code with error",
		"code=a&error=&state=s":                                   "code with error",
		"state=s":                                                 "no code",
		"code=&state=s":                                           "no code",
		"":                                                        "no code",
		"access_token=t&id_token=i&state=s":                       "no code", // LS1: other grants have no way in
		"code=" + long:                                            "oversized code",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, failure := readResponse(values)
		got := ""
		if failure != nil {
			got = failure.Code
		}
		if got != want || failure != nil && failure.Kind != problem.InvalidResponse {
			t.Errorf("%.60q is refused for %q, want %q", query, got, want)
		}
	}
}

// CB10, LG3: what a provider says is text: bounded, valid, on one line, read in one direction.
func TestProvidersTextIsMadeHarmless(t *testing.T) {
	for given, want := range map[string]string{
		"plain":                         "plain",
		"  two\r\nlines\tand\x1b[31m  ": "two  lines and[31m",
		"a\u202eb\u2066c\u200b\ufeffd":  "abcd",
		"nul\x00 bad\xff\xfeutf8":       "nul badutf8",
		"東京":                            "東京",
		"<script>alert(1)</script>":     "<script>alert(1)</script>", // escaping is the page's part
		"a\u2028b":                      "a b",
		strings.Repeat("x", 100<<10):    strings.Repeat("x", maxText),
		strings.Repeat("東", 100):        strings.Repeat("東", maxText/3),
	} {
		if got := visible(given); got != want {
			t.Errorf("visible(%.40q) = %q, want %q", given, got, want)
		}
	}
}

// MD12: userinfo adds, and changes nothing; the service's own names are nobody else's.
func TestUserinfoOnlyAdds(t *testing.T) {
	idToken, err := readClaims(json.RawMessage(`{
		"sub":"alice","name":"Alice","big":12345678901234567890,
		"bff:logout_url":"x","BFF:Session_State":"x","amr":["pwd"]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	userinfo, err := readClaims(json.RawMessage(`{
		"sub":"mallory","name":"M","email":"a@example.com","roles":["a","a"],
		"sid":"x","acr":"high","auth_time":1,
		"iss":"x","aud":"x","exp":1,"iat":1,"nonce":"x","azp":"x","at_hash":"x","bff:logout_url":"y","bff:x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	idToken.complete(userinfo)
	got, err := json.Marshal(idToken)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"amr":["pwd"],"big":12345678901234567890,"email":"a@example.com",` +
		`"name":"Alice","roles":["a","a"],"sub":"alice"}`
	if string(got) != want {
		t.Errorf("claims = %s\n    want %s", got, want)
	}
}

// MD12: an address, and that it was verified, are one statement.
func TestUserinfoVerifiesNoOtherAddress(t *testing.T) {
	for _, c := range []struct{ idToken, userinfo, want string }{
		{`{"email":"a@x"}`, `{"email":"b@x","email_verified":true}`, `{"email":"a@x"}`},
		{`{"email":"a@x"}`, `{"email":"a@x","email_verified":true}`, `{"email":"a@x","email_verified":true}`},
		{`{"email":"a@x"}`, `{"email_verified":true}`, `{"email":"a@x"}`},
		{`{}`, `{"email":"b@x","email_verified":true}`, `{"email":"b@x","email_verified":true}`},
		{`{"phone_number":"1"}`, `{"phone_number":"2","phone_number_verified":true}`, `{"phone_number":"1"}`},
		{`{}`, `{"ACR":"high","Nonce":"x","_claim_names":{},"x":1}`, `{"x":1}`},
	} {
		set, err := readClaims(json.RawMessage(c.idToken))
		if err != nil {
			t.Fatal(err)
		}
		more, err := readClaims(json.RawMessage(c.userinfo))
		if err != nil {
			t.Fatal(err)
		}
		set.complete(more)
		if got, err := json.Marshal(set); err != nil || string(got) != c.want {
			t.Errorf("%s and %s = %s, want %s", c.idToken, c.userinfo, got, c.want)
		}
	}
}

func TestAddressesAreShortened(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	for given, want := range map[string]string{
		"203.0.113.77:1234":       "203.0.113.0",
		"203.0.113.77":            "203.0.113.0",
		"[2001:db8:1:2:3::4]:443": "2001:db8:1::",
		"2001:db8:1:2:3::4":       "2001:db8:1::",
		"::ffff:203.0.113.77":     "203.0.113.0",
		"fe80::1%eth0":            "fe80::",
		"@":                       "",
		"":                        "",
		"nonsense:80":             "",
	} {
		addr, err := netip.ParseAddr(given)
		if err != nil {
			addr = s.Forwarded(&http.Request{RemoteAddr: given}).Client
		}
		if got := shortened(addr); got != want {
			t.Errorf("shortened(%q) = %q, want %q", given, got, want)
		}
	}
}

// The stale kind in a URL is a caller's word: only those words count.
func TestStaleFailureBelievesOnlyStaleKinds(t *testing.T) {
	for given, want := range map[string]problem.Code{
		"attempt_spent": problem.AttemptSpent, "attempt_expired": problem.AttemptExpired, "cookies_blocked": problem.CookiesBlocked,
		"": problem.AttemptNotFound, "internal_error": problem.AttemptNotFound, "<script>": problem.AttemptNotFound,
	} {
		if f := StaleFailure("main", given); f.Kind != want || f.ReturnURL != "/" || f.Provider != "main" {
			t.Errorf("StaleFailure(%q) = %+v, want %s", given, f, want)
		}
	}
}
