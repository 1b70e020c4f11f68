package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// derive makes a 32-byte key for one purpose out of a configured one (RFC 5869), so that no two
// purposes share a key. The configured key can't be found out from it.
func derive(k Key, purpose string) []byte { return expand(k[:], nil, purpose, 32) }

// expand is HKDF-SHA256. Its only errors are lengths beyond 255 hashes and short keys under FIPS
// 140, which no caller here can reach.
func expand(key, salt []byte, purpose string, size int) []byte {
	b, err := hkdf.Key(sha256.New, key, salt, "cloakroom "+purpose, size)
	if err != nil {
		panic("keys: derive key: " + err.Error())
	}
	return b
}
