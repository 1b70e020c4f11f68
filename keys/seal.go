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
	// ErrUnreadable means that bytes sealed under one of our keys were changed since, or stand under
	// a name that is not theirs.
	ErrUnreadable = errors.New("sealed record does not open")
	// ErrUnknownKey means that the bytes are whole, but were sealed under a key that is not here. That
	// is an operator's fault and says nothing about what was sealed.
	ErrUnknownKey = errors.New("record is sealed under a key that is not in session.keys")
)

// What a sealed record is made of:
//
//	version 1 | key id 4 | salt 32 | AES-256-GCM ciphertext and tag | CRC-32C 4
//
// Key and nonce come out of HKDF with the salt, so that no nonce can meet its key again however many
// records one configured key seals (SP 800-38D §8.3 limits random nonces to 2^32 under one key). The
// record's name is associated data: a record under another's name does not open. The checksum
// protects nothing; it tells bytes that broke from bytes that another key sealed.
const (
	sealVersion  = 1
	keyIDSize    = 4
	saltSize     = 32
	sealHead     = HeadSize + saltSize
	sealTag      = 16
	sealSum      = 4
	sealOverhead = sealHead + sealTag + sealSum
)

// HeadSize is how many bytes of what Ring.Seal sealed tell which key sealed it.
const HeadSize = 1 + keyIDSize

// HeadOf returns a copy of the first HeadSize bytes of what Ring.Seal sealed, or of all if there are
// fewer.
func HeadOf(sealed []byte) []byte { return slices.Clone(sealed[:min(HeadSize, len(sealed))]) }

// HeadID returns the printed id of the key that sealed something, from the head of what was sealed;
// see HeadOf. It has eight hexadecimal digits, from which the key can't be found out. It is
// "unreadable" for anything but a head.
func HeadID(head []byte) string {
	if len(head) != HeadSize {
		return "unreadable"
	}
	return hex.EncodeToString(head[1:])
}

// A restKey is what a Key seals records with.
type restKey struct {
	head   [HeadSize]byte // how bytes begin that it sealed
	secret []byte
}

func newRestKey(k Key) restKey {
	rest := restKey{head: [HeadSize]byte{sealVersion}, secret: derive(k, "record")}
	copy(rest.head[1:], derive(k, "record key id"))
	return rest
}

// Seal encrypts plain for a store, under the first key, so that it opens under name alone. Unlike a
// Codec's values these have no limit of size, and say which key sealed them.
func (r *Ring) Seal(name string, plain []byte) []byte {
	key := r.held.Load().atRest[0]
	b := make([]byte, sealHead, len(plain)+sealOverhead)
	copy(b, key.head[:])
	salt := b[HeadSize:sealHead]
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	aead, nonce := key.aead(salt)
	b = aead.Seal(b, nonce, plain, associated(b[:sealHead], name))
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// Open returns what Seal sealed under name. The error is ErrUnreadable when the bytes are not what
// some key of r sealed under that name, and ErrUnknownKey when another key, or a later version of
// this code, sealed them.
func (r *Ring) Open(name string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealOverhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrUnreadable, len(sealed))
	}
	body, sum := sealed[:len(sealed)-sealSum], binary.BigEndian.Uint32(sealed[len(sealed)-sealSum:])
	if checksum(body) != sum {
		return nil, fmt.Errorf("%w: broken bytes", ErrUnreadable)
	}
	known := false
	for _, key := range r.held.Load().atRest {
		if !key.sealed(body[:HeadSize]) {
			continue
		}
		known = true
		aead, nonce := key.aead(body[HeadSize:sealHead])
		if plain, err := aead.Open(nil, nonce, body[sealHead:], associated(body[:sealHead], name)); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, ErrUnknownKey
	}
	return nil, fmt.Errorf("%w: not sealed under this name", ErrUnreadable)
}

// Knows reports whether the key that sealed something is among the ring's, by the head of what it
// sealed; see HeadOf.
func (r *Ring) Knows(head []byte) bool {
	return slices.ContainsFunc(r.held.Load().atRest, func(k restKey) bool { return k.sealed(head) })
}

// Fingerprint returns a text that is the same for the same parts, as long as the first key stays. It
// tells nothing of them to anybody who has no key.
func (r *Ring) Fingerprint(parts ...string) string {
	mac := hmac.New(sha256.New, r.held.Load().atRest[0].secret)
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (k restKey) sealed(head []byte) bool { return bytes.Equal(k.head[:], head) }

// aead makes the cipher and the nonce of one record.
func (k restKey) aead(salt []byte) (cipher.AEAD, []byte) {
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

// checksum is CRC-32C; MakeTable makes that table once.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
