package provider

import (
	"bytes"
	_ "crypto/sha256" // for at_hash
	_ "crypto/sha512" // for at_hash
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// maxJWT bounds a token that is read at all; ID tokens with hundreds of groups stay under 64 KiB.
const maxJWT = 256 << 10

// readJWT reads a compact JWS without believing it: three parts, a header with the one algorithm of
// this client, a type of the given ones, no extension that must be understood, and members that stand
// there once. It is what is cheap, before anyone is asked for a key (BC13).
func (p *Provider) readJWT(raw string, types ...string) (*idClaims, json.RawMessage, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(raw) > maxJWT {
		return nil, nil, invalid("format", "it is no signed compact JWT")
	}
	headerJSON, err1 := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err1 != nil || err2 != nil || !uniqueMembers(headerJSON) || !uniqueMembers(payload) {
		return nil, nil, invalid("format", "its parts are no JSON objects with each member once")
	}
	var header struct {
		Alg  string           `json:"alg"`
		Typ  string           `json:"typ"`
		Crit *json.RawMessage `json:"crit"`
	}
	if json.Unmarshal(headerJSON, &header) != nil {
		return nil, nil, invalid("format", "its header is not readable")
	}
	if header.Alg != p.config.IDTokenAlg {
		return nil, nil, invalid("alg", "it is not "+p.config.IDTokenAlg+", which this client is registered with (id_token_alg)")
	}
	if header.Crit != nil {
		return nil, nil, invalid("crit", "it demands an extension that is not understood")
	}
	if !slices.ContainsFunc(types, func(t string) bool {
		return strings.EqualFold(t, strings.TrimPrefix(strings.ToLower(header.Typ), "application/"))
	}) {
		return nil, nil, invalid("typ", "it is a JWT of another kind")
	}
	var c idClaims
	if json.Unmarshal(payload, &c) != nil {
		return nil, nil, invalid("format", "a claim has the wrong type")
	}
	return &c, payload, nil
}

// uniqueMembers reports whether b is one JSON object, with no member twice at its top: what two
// parsers would read differently is not read (RFC 8259 §4).
func uniqueMembers(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	seen := map[string]struct{}{}
	for d.More() {
		name, err := d.Token()
		key, isString := name.(string)
		if err != nil || !isString {
			return false
		}
		if _, twice := seen[key]; twice {
			return false
		}
		seen[key] = struct{}{}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
	}
	if _, err := d.Token(); err != nil {
		return false
	}
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

// audience is a string or an array of strings (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("aud is neither a string nor an array of strings")
	}
	*a = many
	return nil
}

// numericDate is seconds since 1970, possibly with a fraction (RFC 7519 §2). Strings and what no
// calendar has are refused.
type numericDate float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *numericDate) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil || f < 0 || f > 1<<37 {
		return errors.New("a time is no number of seconds")
	}
	*n = numericDate(f)
	return nil
}

func (n numericDate) time() time.Time {
	seconds, fraction := math.Modf(float64(n))
	return time.Unix(int64(seconds), int64(fraction*1e9))
}
