package session

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// IndexKey hashes what a record is found by, so that the store learns no subject and no sid. The
// parts are hashed with their lengths: no two different lists share a key.
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

// SubjectKey finds all sessions of a user at a provider (configured id).
func SubjectKey(provider, subject string) string { return IndexKey("subject", provider, subject) }

// SIDKey finds the session that a provider (configured id) calls sid.
func SIDKey(provider, sid string) string { return IndexKey("sid", provider, sid) }

// IDKey finds the session with a public handle, Record.ID.
func IDKey(id string) string { return IndexKey("id", id) }

// indices are the keys that rec is found by.
func indices(rec *Record) []string {
	keys := []string{SubjectKey(rec.Provider, rec.Subject), IDKey(rec.ID)}
	if rec.SID != "" {
		keys = append(keys, SIDKey(rec.Provider, rec.SID))
	}
	return keys
}
