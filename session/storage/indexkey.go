package storage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// IndexKey hashes what a record is found by, or a mark is kept under, so that the store learns no
// subject and no sid. The parts are hashed with their lengths: no two different lists share a key.
func IndexKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
