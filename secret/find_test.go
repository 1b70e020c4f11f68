package secret_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/secret"
)

// TestSecretsAreFoundInEveryEncoding: a text is found if it reveals a secret, and only then.
func TestSecretsAreFoundInEveryEncoding(t *testing.T) {
	const token = "at/+8sjh2~k==3jkdh.fkd"
	f := secret.NewFinder(secret.New(token), secret.Value{}, secret.New("short"))
	for name, text := range map[string]string{
		"plain":                   token,
		"inside":                  "Bearer " + token + ", x",
		"query":                   "x?t=" + url.QueryEscape(token),
		"path":                    "/" + url.PathEscape(token),
		"base64":                  base64.StdEncoding.EncodeToString([]byte(token)),
		"base64url":               base64.RawURLEncoding.EncodeToString([]byte(token)),
		"base64 with more behind": base64.RawStdEncoding.EncodeToString([]byte(token + ":x")),
		"base64 with more around": base64.StdEncoding.EncodeToString([]byte("u:" + token + ":x")),
		"a short one":             "short",
	} {
		if !f.In(text) {
			t.Errorf("%s: %q is not found", name, text)
		}
	}
	for _, text := range []string{"", "alice", "a short word", token[:20], strings.ToUpper(token), "at/+8", "YXQ="} {
		if f.In(text) {
			t.Errorf("%q is taken for a secret", text)
		}
	}
	if (secret.Finder{}).In("") || secret.NewFinder(secret.Value{}).In("") {
		t.Error("the empty text is taken for a secret")
	}
}

func TestJWTsAreFound(t *testing.T) {
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`))
	spaced := base64.RawURLEncoding.EncodeToString([]byte("{\n \"typ\" : \"JWT\", \"alg\": \"none\"}"))
	for _, text := range []string{
		head + ".e30.c2ln", head + ".e30.", spaced + ".e30.c2ln", head + "..iv.text.tag",
		"Bearer " + head + ".e30.c2ln", "a.b.c " + head + ".e30.c2ln",
		"https://a.example/?x=token" + head + ".e30.c2ln&y=1",
	} {
		if !secret.HoldsJWT(text) {
			t.Errorf("%q is not found", text)
		}
	}
	for _, text := range []string{
		"", "a.b.c", "www.very-long-name.example.com", head, head + ".e30", "1.2.3.4",
		base64.RawURLEncoding.EncodeToString([]byte(`{"no":"header"}`)) + ".e30.c2ln", strings.Repeat("a.", 10_000),
	} {
		if secret.HoldsJWT(text) {
			t.Errorf("%.80q is taken for a JWT", text)
		}
	}
}
