package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// minFound is the least length of a secret that is searched for within a longer text. A shorter one
// is found only if it is the whole text, because it could be a part of ordinary words by chance.
const minFound = 8

// A Finder searches a text that is about to leave the service for secrets: plain, percent-encoded
// or in base64. It does not find a secret that was split, encrypted or hashed. The zero Finder
// finds nothing.
type Finder struct{ secrets []string }

// NewFinder returns a Finder of these secrets, without the empty ones.
func NewFinder(secrets ...Value) Finder {
	f := Finder{make([]string, 0, len(secrets))}
	for _, v := range secrets {
		if !v.IsZero() {
			f.secrets = append(f.secrets, v.Reveal())
		}
	}
	return f
}

// In reports whether text holds one of the secrets. It is cheap for a text that is shorter than all
// of them.
func (f Finder) In(text string) bool {
	for _, s := range f.secrets {
		if len(text) < len(s) {
			continue // no encoding is shorter than the plain text
		}
		if text == s || len(s) >= minFound && (holds(text, s) || strings.Contains(decoded(text), s)) {
			return true
		}
	}
	return false
}

// holds reports whether text holds s, plain or encoded.
func holds(text, s string) bool {
	// Base64 encodes groups of three bytes. The last, incomplete group is left out of the search,
	// because its encoding depends on what follows the secret.
	groups := []byte(s[:len(s)/3*3])
	return strings.Contains(text, s) ||
		strings.Contains(text, url.QueryEscape(s)) || strings.Contains(text, url.PathEscape(s)) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString(groups)) ||
		strings.Contains(text, base64.URLEncoding.EncodeToString(groups))
}

// decoded decodes a text that is base64 as a whole. It returns "" for any other.
func decoded(text string) string {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(plain)
}

// compact matches what may be a JWT in compact form (RFC 7515 §7.1, RFC 7516 §7.1).
var compact = regexp.MustCompile(`([A-Za-z0-9_-]{12,})\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`)

// HoldsJWT reports whether text holds a JWT, signed, encrypted or neither. A JWT may be a bearer
// token, which works for anybody who has it.
func HoldsJWT(text string) bool {
	if strings.Count(text, ".") < 2 {
		return false
	}
	for _, found := range compact.FindAllStringSubmatch(text, -1) {
		if isJOSEHeader(found[1]) {
			return true
		}
		// A header begins with `{"`, which is eyJ in base64. What precedes that is other text.
		if at := strings.LastIndex(found[1], "eyJ"); at > 0 && isJOSEHeader(found[1][at:]) {
			return true
		}
	}
	return false
}

// isJOSEHeader looks for alg, which every JOSE header has (RFC 7515 §4.1.1, RFC 7516 §4.1.1).
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
