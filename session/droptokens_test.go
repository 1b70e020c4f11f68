package session

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/secret"
)

// TestNoClaimCarriesAToken is the table of what may leave of a claim, and what not.
func TestNoClaimCarriesAToken(t *testing.T) {
	const access, refresh = "access-token-of-this-session", "refresh-token-of-this-session"
	jwt := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + ".e30.c2lnbmF0dXJl"
	for _, c := range []struct{ name, claims, want string }{
		{"ordinary ones stay byte for byte", `{"z":1.0,"big":12345678901234567890,"groups":["b","a","a"],"o":{"b":null,"a":true}}`, ""},
		{"hashes and kinds of tokens stay", `{"at_hash":"x","c_hash":"y","token_type":"Bearer","token_use":"id","jti":"1"}`, ""},
		{"a flag named after a token stays", `{"has_token":true,"tokens":3}`, ""},
		{
			"distributed claims",
			`{"a":1,"_claim_names":{"pay":"s"},"_claim_sources":{"s":{"endpoint":"https://x","access_token":"k"}}}`,
			`{"a":1}`,
		},
		{"aggregated claims", `{"_claim_names":{"pay":"s"},"_claim_sources":{"s":{"JWT":"` + jwt + `"}},"a":1}`, `{"a":1}`},
		{"their names in another case", `{"_Claim_Sources":{"s":1},"_claim_x":1,"a":1}`, `{"a":1}`},
		{"deeper down", `{"v":{"_claim_sources":{"s":1},"b":1}}`, `{"v":{"b":1}}`},
		{
			"named after a token",
			`{"access_token":"x","idToken":"x","https://e.example/refresh-token":"x","idp_access_token":"x",` +
				`"tokens":["x"],"saml_assertion":"x","a":1}`,
			`{"a":1}`,
		},
		{
			"named so deeper down",
			`{"identities":[{"provider":"g","access_token":"x"},{"provider":"h"}]}`,
			`{"identities":[{"provider":"g"},{"provider":"h"}]}`,
		},
		{"the access token", `{"x":"` + access + `","a":1}`, `{"a":1}`},
		{"the refresh token in a text", `{"x":"see ` + refresh + `!","a":1}`, `{"a":1}`},
		{"in an array", `{"x":["a","` + access + `"]}`, `{"x":["a"]}`},
		{"in base64", `{"x":"` + base64.StdEncoding.EncodeToString([]byte("u:"+access)) + `","a":1}`, `{"a":1}`},
		{"written with escapes", `{"x":"\u0061ccess-token-of-this-session","a":1}`, `{"a":1}`},
		{"as a claim's name", `{"` + access + `":1,"a":1}`, `{"a":1}`},
		{"a JWT", `{"x":"` + jwt + `","a":1}`, `{"a":1}`},
		{"a JWT in a URL", `{"x":{"u":"https://e.example/?t=` + jwt + `"},"a":1}`, `{"a":1,"x":{}}`},
		{"JSON as text", `{"x":"{\"access_token\":\"k\"}","y":"[{\"b\":1}]","a":1}`, `{"a":1,"y":"[{\"b\":1}]"}`},
	} {
		rec := &Record{Claims: json.RawMessage(c.claims), AccessToken: secret.New(access), RefreshToken: secret.New(refresh)}
		rec.DropTokens()
		if want := c.want; string(rec.Claims) != want && (want != "" || string(rec.Claims) != c.claims) {
			t.Errorf("%s: %s\nbecame %s\n  want %s", c.name, c.claims, rec.Claims, want)
		}
	}
}

func TestTokensLeaveScopeSidAndSessionState(t *testing.T) {
	rec := &Record{
		Scope: "openid  another-access-token email", State: "x.another-access-token", SID: "another-access-token",
		AccessToken: secret.New("new-access-token"),
	}
	rec.DropTokens(secret.New("another-access-token"))
	if rec.Scope != "openid email" || rec.State != "" || rec.SID != "" {
		t.Errorf("scope = %q, session state = %q, sid = %q", rec.Scope, rec.State, rec.SID)
	}
	rec = &Record{Scope: "openid  email", State: "hash.salt"}
	rec.DropTokens()
	if rec.Scope != "openid  email" || rec.State != "hash.salt" {
		t.Errorf("scope = %q, session state = %q, want both untouched", rec.Scope, rec.State)
	}
}

func TestNamesOfDroppedClaimsAreFitForTheLog(t *testing.T) {
	const claims = `{"_claim_sources":1,"b\nad_token":"x","my-access-token-value":1,"x":"my-access-token-value"}`
	rec := &Record{Claims: json.RawMessage(claims), AccessToken: secret.New("my-access-token-value")}
	if got := rec.DropTokens(); !slices.Equal(got, []string{"_claim_sources", "x"}) {
		t.Errorf("names = %q", got)
	}
}

// TestRecordsAreReadAndWrittenWithoutTokens: neither a caller's claims nor those that an older
// version has stored bring a token back.
func TestRecordsAreReadAndWrittenWithoutTokens(t *testing.T) {
	rec := &Record{ID: "1", Claims: json.RawMessage(`{"_claim_sources":{"s":{"access_token":"stowaway"}},"sub":"alice"}`)}
	written, err := encode(rec)
	if err != nil || strings.Contains(string(written), "stowaway") || !strings.Contains(string(rec.Claims), "stowaway") {
		t.Errorf("written = %s, %v; the caller's own is %s", written, err, rec.Claims)
	}
	old := strings.Replace(string(written), `{"sub":"alice"}`, string(rec.Claims), 1)
	if !strings.Contains(old, "stowaway") {
		t.Fatalf("the old record is %s", old)
	}
	read, err := decode([]byte(old))
	if err != nil || string(read.Claims) != `{"sub":"alice"}` {
		t.Errorf("read = %s, %v", read.Claims, err)
	}
}
