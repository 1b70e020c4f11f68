package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys  = 200 // read from one set
	maxTries = 16  // keys tried on one signature, so that a forged one costs little
)

// A PublicKey is one usable entry of a provider's key set.
type PublicKey struct {
	id, alg string // either may be empty: the provider did not say
	issuer  string // "", or the issuer that it signs for (an extension of Microsoft)
	key     crypto.PublicKey
}

// A jwk holds the members of an entry that are used. Certificates are left out on purpose: a chain
// that Go can't parse must not make the key unusable, and trust comes from the address of the set
// alone (ID4).
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Use    string   `json:"use,omitempty"`
	Crv    string   `json:"crv,omitempty"`
	X      string   `json:"x,omitempty"`
	Y      string   `json:"y,omitempty"`
	N      string   `json:"n,omitempty"`
	E      string   `json:"e,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
	Issuer string   `json:"issuer,omitempty"`
}

// ParseKeys reads a JWK Set entry by entry, and skips what it does not understand (RFC 7517 §5).
// go-jose reads a set as a whole, and fails on a single secp256k1 key (MD7).
func ParseKeys(data []byte) ([]PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
		return nil, errors.New("the answer is not a key set")
	}
	var keys []PublicKey
	for _, entry := range set.Keys[:min(len(set.Keys), maxKeys)] {
		if k, ok := parseKey(entry); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// parseKey accepts an entry only if it is a public key for verifying signatures (RFC 7517 §4.2,
// §4.3).
func parseKey(entry json.RawMessage) (PublicKey, bool) {
	var e jwk
	if json.Unmarshal(entry, &e) != nil ||
		e.Use != "" && e.Use != "sig" ||
		len(e.KeyOps) > 0 && !slices.Contains(e.KeyOps, "verify") {
		return PublicKey{}, false
	}
	plain, err := json.Marshal(e)
	if err != nil {
		return PublicKey{}, false
	}
	var k jose.JSONWebKey
	if k.UnmarshalJSON(plain) != nil || !k.Valid() || !k.IsPublic() {
		return PublicKey{}, false
	}
	return PublicKey{id: e.Kid, alg: e.Alg, issuer: e.Issuer, key: k.Key}, true
}

// candidates returns the keys of the right type and curve, at most maxTries, in the order in which
// they are tried on a signature. sure are the keys that the token's kid names, and the key that
// verified last, if the set still has it: that finds the key of a provider that signs with a new
// key under the old kid (Ory Hydra after a rotation). If there is neither, sure has one key. rest
// are the others, first those without a kid: kid is only a hint (RFC 7515 §4.1.4), and a provider
// may send a wrong one.
func candidates(keys []PublicKey, kid, alg string, last *PublicKey) (sure, rest []PublicKey) {
	var proven, nameless, others []PublicKey
	for _, k := range keys {
		switch {
		case !k.Fits(alg):
		case kid != "" && k.id == kid:
			sure = append(sure, k)
		case last != nil && k.same(last):
			proven = append(proven, k)
		case k.id == "":
			nameless = append(nameless, k)
		default:
			others = append(others, k)
		}
	}
	all := slices.Concat(sure, proven, nameless, others)
	n := min(max(len(sure)+len(proven), 1), len(all), maxTries)
	return all[:n], all[n:min(len(all), maxTries)]
}

// same reports whether two entries have the same key.
func (k PublicKey) same(other *PublicKey) bool {
	key, ok := k.key.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(other.key)
}

// Fits reports whether the key can verify a signature of alg (RFC 7518 §3.1; RSA keys need at least
// 2048 bits, §3.3).
func (k PublicKey) Fits(alg string) bool {
	if k.alg != "" && k.alg != alg && !(alg == "EdDSA" && k.alg == "Ed25519") {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return (alg[:2] == "RS" || alg[:2] == "PS") && key.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		curve := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
		return key.Curve.Params().Name == curve
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}
