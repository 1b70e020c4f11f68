package session

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// keySize is the length of each of session.keys in bytes.
const keySize = 32

// A keyring is what the configured keys are good for.
type keyring struct {
	*signer
	*sealer
}

func newKeyring(cookie string, keys [][]byte) *keyring {
	return &keyring{newSigner(cookie, keys), newSealer(keys)}
}

func checkKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("there is no key")
	}
	if slices.ContainsFunc(keys, func(k []byte) bool { return len(k) != keySize }) {
		return fmt.Errorf("a key is not %d bytes long", keySize)
	}
	return nil
}

// SetKeys puts other keys in the place of those there are: from now on the first seals and signs, and
// all open and verify. It may be called at any time. After an error the old ones hold.
func (m *Manager) SetKeys(keys [][]byte) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	m.keys.Store(newKeyring(m.cookie, keys))
	return nil
}

// DeriveKey makes a 32-byte key for one purpose out of a configured one (RFC 5869), so that no two
// purposes share a key. The configured key can't be found out from it.
func DeriveKey(key []byte, purpose string) []byte {
	return expand(key, nil, purpose, 32)
}

// expand is HKDF-SHA256. Its only errors are lengths beyond 255 hashes and short keys under FIPS
// 140, which no caller here can reach.
func expand(key, salt []byte, purpose string, size int) []byte {
	b, err := hkdf.Key(sha256.New, key, salt, "cloakroom "+purpose, size)
	if err != nil {
		panic("session: derive key: " + err.Error())
	}
	return b
}

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
