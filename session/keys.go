package session

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// keySize is the length of every key, configured or derived, in bytes.
const keySize = 32

// DeriveKey derives a key for one purpose from one of session.keys by HKDF-SHA256 (RFC 5869), so
// that no key serves two purposes. key must be 32 bytes.
func DeriveKey(key []byte, purpose string) []byte {
	return derive(key, nil, "cloakroom "+purpose)
}

func derive(key, salt []byte, info string) []byte {
	k, err := hkdf.Key(sha256.New, key, salt, info, keySize)
	if err != nil {
		panic(fmt.Sprintf("derive a %d-byte key by HKDF-SHA256: %v", keySize, err)) // only for lengths that keySize is not
	}
	return k
}

// IndexKey hashes a tuple into the form that indices and marks are kept under in a store. Parts are
// length-prefixed, so no two tuples share a key.
func IndexKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// SubjectKey is what all sessions of a user at a provider are indexed under. A user is provider and
// subject together: two providers may use the same sub (OIDC Core §2).
func SubjectKey(provider, subject string) string { return IndexKey("sub", provider, subject) }

// SIDKey is what the sessions of one provider session are indexed under.
func SIDKey(provider, sid string) string { return IndexKey("sid", provider, sid) }

// IDKey is what a session is indexed under by its public id.
func IDKey(id string) string { return IndexKey("id", id) }

// indices are the keys a record is found by. An empty sid is none, so that it matches nobody.
func (r *Record) indices() []string {
	keys := []string{IDKey(r.ID), SubjectKey(r.Provider, r.Subject)}
	if r.SID != "" {
		keys = append(keys, SIDKey(r.Provider, r.SID))
	}
	return keys
}

// randomID is a public handle of 128 random bits.
func randomID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}
