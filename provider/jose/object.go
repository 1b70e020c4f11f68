package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/secret"
)

const (
	maxToken   = 256 << 10 // bytes of an ID token; 64 KiB of groups fit, ten thousand claims don't
	maxNesting = 32        // levels of JSON in a token
	maxName    = 255       // bytes of sub (OIDC Core §2), sid and jti
)

// An Object holds the members of one JSON object, unparsed, by their exact names: encoding/json
// would accept "ISS" for "iss".
type Object map[string]json.RawMessage

// decodeJWT decodes a compact JWS without verifying its signature. It serves cheap checks before a
// key is fetched (BC13), and checks that libraries leave out.
func decodeJWT(raw string, limit int) (head, body Object, err error) {
	parts := strings.Split(raw, ".")
	switch {
	case len(raw) > limit:
		return nil, nil, fmt.Errorf("it is longer than %d bytes", limit)
	case len(parts) == 5:
		return nil, nil, errors.New("it is encrypted, which was not agreed")
	case len(parts) != 3:
		return nil, nil, errors.New("it is not a JWT")
	}
	if head, err = decodePart(parts[0]); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if body, err = decodePart(parts[1]); err != nil {
		return nil, nil, fmt.Errorf("payload: %w", err)
	}
	return head, body, nil
}

// ClaimsOf returns the claims of a JWT that was verified when it was received. It does not verify
// the JWT.
func ClaimsOf(verified secret.Value) (Object, error) {
	_, claims, err := decodeJWT(verified.Reveal(), maxToken)
	return claims, err
}

func decodePart(part string) (Object, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return ParseObject(data)
}

// ParseObject reads one JSON object. It refuses repeated members at any depth, since two readers
// could use a different one each (RFC 7515 §4, RFC 7519 §4; ID13).
func ParseObject(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	var c Object
	if err := json.Unmarshal(data, &c); err != nil || c == nil {
		return nil, errors.New("not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkMembers(d, maxNesting); err != nil {
		return nil, err
	}
	return c, nil
}

// checkMembers checks one JSON value, which is known to be well-formed, and all values in it.
func checkMembers(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return errors.New("not JSON")
	}
	open, nested := t.(json.Delim)
	if !nested {
		return nil
	}
	if depth == 0 {
		return errors.New("nested too deep")
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return errors.New("not JSON")
			}
			s, _ := name.(string)
			if seen[s] {
				return errors.New("a member is there twice")
			}
			seen[s] = true
		}
		if err := checkMembers(d, depth-1); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return err
}

// Has reports whether the claim exists, whatever its value.
func (c Object) Has(name string) bool { return c[name] != nil }

// Text returns a claim that must be a string; "" if it is absent or null.
func (c Object) Text(name string) (string, error) {
	raw := c[name]
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", errors.New("it is not a string")
	}
	return s, nil
}

// noNumber is the detail of a breach: the claim is not a time.
const noNumber = "it is not a number of seconds"

// time returns a NumericDate (RFC 7519 §2), which may have a fraction. ok is false if the claim is
// absent or null.
func (c Object) time(name string) (at time.Time, ok bool, err error) {
	raw := c[name]
	if raw == nil || string(raw) == "null" {
		return time.Time{}, false, nil
	}
	var seconds float64 // the year 9999 fits without loss of whole seconds
	if json.Unmarshal(raw, &seconds) != nil || math.IsNaN(seconds) {
		return time.Time{}, true, errors.New(noNumber)
	}
	const year10000 = 253402300800
	if seconds < 0 || seconds >= year10000 {
		return time.Time{}, true, errors.New("it is out of range")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}

// Audience returns aud: one string or an array of strings (RFC 7519 §4.1.3).
func (c Object) Audience() ([]string, error) {
	raw := c["aud"]
	var one string
	if raw != nil && json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}, nil
	}
	var many []string
	if raw == nil || json.Unmarshal(raw, &many) != nil || len(many) == 0 {
		return nil, errors.New("it is neither a string nor an array of strings")
	}
	return many, nil
}

// JSON returns the object as JSON text.
func (c Object) JSON() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil { // can't happen: each member was parsed
		return json.RawMessage("{}")
	}
	return b
}
