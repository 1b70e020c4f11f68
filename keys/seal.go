package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

var (
	// ErrUnreadable means that the record was sealed under one of our keys, but has changed since
	// or was sealed under another name.
	ErrUnreadable = errors.New("sealed record does not open")
	// ErrUnknownKey means that the record is intact, but its key is not in the Ring. The operator
	// has to add the key; the record itself may be valid.
	ErrUnknownKey = errors.New("record is sealed under a key that is not in session.keys")
)

// The format of a sealed record, with sizes in bytes:
//
//	version 1 | key id 4 | salt 32 | AES-256-GCM ciphertext and tag | CRC-32C 4
//
// Each record has its own key and nonce, which HKDF derives with the salt. So no pair of them
// repeats, however many records one configured key seals (SP 800-38D §8.3 limits random nonces to
// 2^32 under one key). The record's name is associated data, so a record does not open under
// another name. The checksum is no protection; it distinguishes damaged records from those of
// another key.
const (
	sealVersion  = 1
	keyIDSize    = 4
	saltSize     = 32
	sealHead     = HeadSize + saltSize
	sealTag      = 16
	sealSum      = 4
	sealOverhead = sealHead + sealTag + sealSum
)

// HeadSize is the length in bytes of the head of a sealed record, which identifies its key.
const HeadSize = 1 + keyIDSize

// HeadOf returns a copy of the first HeadSize bytes of a sealed record, or of all if there are
// fewer.
func HeadOf(sealed []byte) []byte { return slices.Clone(sealed[:min(HeadSize, len(sealed))]) }

// HeadID returns the id of the key that sealed a record, from the record's head: eight hexadecimal
// digits that do not reveal the key. It returns "unreadable" if head is not HeadSize bytes long.
func HeadID(head []byte) string {
	if len(head) != HeadSize {
		return "unreadable"
	}
	return hex.EncodeToString(head[1:])
}

// A recordKey is derived from a Key and seals records.
type recordKey struct {
	head   [HeadSize]byte // of the records that it sealed
	secret []byte
}

func newRecordKey(k Key) recordKey {
	r := recordKey{head: [HeadSize]byte{sealVersion}, secret: derive(k, "record")}
	copy(r.head[1:], derive(k, "record key id"))
	return r
}

// Seal encrypts a record for a store with the first key. Open returns it for the same name only.
// Unlike the values of a Codec, records have no limit of size and name their key.
func (r *Ring) Seal(name string, plain []byte) []byte {
	key := r.held.Load().recordKeys[0]
	b := make([]byte, sealHead, len(plain)+sealOverhead)
	copy(b, key.head[:])
	salt := b[HeadSize:sealHead]
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	aead, nonce := key.aead(salt)
	b = aead.Seal(b, nonce, plain, associated(b[:sealHead], name))
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// Open returns the content of a record that was sealed under name. The error is ErrUnreadable if
// the record is damaged or has another name, and ErrUnknownKey if a key that r does not hold, or a
// later version of the format, sealed it.
func (r *Ring) Open(name string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealOverhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrUnreadable, len(sealed))
	}
	body, sum := sealed[:len(sealed)-sealSum], binary.BigEndian.Uint32(sealed[len(sealed)-sealSum:])
	if checksum(body) != sum {
		return nil, fmt.Errorf("%w: broken bytes", ErrUnreadable)
	}
	known := false
	for _, key := range r.held.Load().recordKeys {
		if !key.sealed(body[:HeadSize]) {
			continue
		}
		known = true
		aead, nonce := key.aead(body[HeadSize:sealHead])
		data := associated(body[:sealHead], name)
		if plain, err := aead.Open(nil, nonce, body[sealHead:], data); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, ErrUnknownKey
	}
	return nil, fmt.Errorf("%w: not sealed under this name", ErrUnreadable)
}

// Knows reports whether r holds the key of a record, given the record's head.
func (r *Ring) Knows(head []byte) bool {
	return slices.ContainsFunc(r.held.Load().recordKeys, func(k recordKey) bool { return k.sealed(head) })
}

// Fingerprint returns a keyed hash (HMAC-SHA256) of the parts. It is the same for the same parts as
// long as the first key stays the same, and reveals nothing of them without the key.
func (r *Ring) Fingerprint(parts ...string) string {
	mac := hmac.New(sha256.New, r.held.Load().recordKeys[0].secret)
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (k recordKey) sealed(head []byte) bool { return bytes.Equal(k.head[:], head) }

// aead returns the cipher and the nonce of the record with a salt.
func (k recordKey) aead(salt []byte) (cipher.AEAD, []byte) {
	const keyBytes, nonceBytes = 32, 12
	derived := expand(k.secret, salt, "record", keyBytes+nonceBytes)
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		panic("keys: " + err.Error()) // the key has the right length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("keys: " + err.Error()) // AES has the right block size
	}
	return aead, derived[keyBytes:]
}

func associated(head []byte, name string) []byte {
	return append(append(make([]byte, 0, len(head)+len(name)), head...), name...)
}

// checksum is CRC-32C. MakeTable returns the same table each time.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
