package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// minFound is how long a secret must be for it to be looked for inside of a longer text. A shorter
// one is found only where it is the whole text: it would be part of ordinary words by chance.
const minFound = 8

// A Finder finds secrets in a text that is about to leave the service, plain, in a URL's encodings
// or in base64. What was cut up, encrypted or hashed it does not find. The zero Finder finds nothing.
type Finder struct{ secrets []string }

// NewFinder finds the given secrets; empty ones are left out.
func NewFinder(secrets ...Value) Finder {
	f := Finder{make([]string, 0, len(secrets))}
	for _, v := range secrets {
		if !v.IsZero() {
			f.secrets = append(f.secrets, v.Reveal())
		}
	}
	return f
}

// In reports whether text holds one of the secrets. A text that is shorter than all of them costs
// next to nothing.
func (f Finder) In(text string) bool {
	for _, s := range f.secrets {
		if len(text) < len(s) {
			continue // and no encoding is shorter than what it stands for
		}
		if text == s || len(s) >= minFound && (gives(text, s) || strings.Contains(decoded(text), s)) {
			return true
		}
	}
	return false
}

// gives reports whether text holds s, plain or encoded.
func gives(text, s string) bool {
	// What follows changes the last characters of base64, so whole groups of three bytes are compared.
	groups := []byte(s[:len(s)/3*3])
	return strings.Contains(text, s) ||
		strings.Contains(text, url.QueryEscape(s)) || strings.Contains(text, url.PathEscape(s)) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString(groups)) ||
		strings.Contains(text, base64.URLEncoding.EncodeToString(groups))
}

// decoded is a text that is base64 as a whole, taken apart; "" for any other.
func decoded(text string) string {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(plain)
}

// compact is what a JWT in compact form looks like (RFC 7515 §7.1, RFC 7516 §7.1).
var compact = regexp.MustCompile(`([A-Za-z0-9_-]{12,})\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`)

// HoldsJWT reports whether a text is, or holds, a JWT, signed, encrypted or neither: whoever accepts
// it may take it from anybody who has it.
func HoldsJWT(text string) bool {
	if strings.Count(text, ".") < 2 {
		return false
	}
	for _, found := range compact.FindAllStringSubmatch(text, -1) {
		if isJOSEHeader(found[1]) {
			return true
		}
		// `{"` is eyJ in base64: what stands in front of it belongs to the text around.
		if at := strings.LastIndex(found[1], "eyJ"); at > 0 && isJOSEHeader(found[1][at:]) {
			return true
		}
	}
	return false
}

// isJOSEHeader looks for the one member that every JOSE header has (RFC 7515 §4.1.1, RFC 7516 §4.1.1).
func isJOSEHeader(encoded string) bool {
	plain, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	var header struct {
		Alg *string `json:"alg"`
	}
	return json.Unmarshal(plain, &header) == nil && header.Alg != nil
}
