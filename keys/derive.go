package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// derive derives a 32-byte key for one purpose from a configured key (RFC 5869), so that no two
// purposes share a key. The derived key does not reveal the configured one.
func derive(k Key, purpose string) []byte { return expand(k[:], nil, purpose, 32) }

// expand is HKDF-SHA256. It can fail only for a result of more than 255 hashes or, in FIPS 140
// mode, a short key. No caller passes either.
func expand(key, salt []byte, purpose string, size int) []byte {
	b, err := hkdf.Key(sha256.New, key, salt, "cloakroom "+purpose, size)
	if err != nil {
		panic("keys: derive key: " + err.Error())
	}
	return b
}
