package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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
	sealHead     = 1 + keyIDSize + saltSize
	sealTag      = 16
	sealSum      = 4
	sealOverhead = sealHead + sealTag + sealSum
)

// A sealer seals records under its first key, and opens those of all.
type sealer struct {
	keys []sealKey
	sums *crc32.Table
}

type sealKey struct {
	id     [keyIDSize]byte
	secret []byte
}

func newSealer(keys [][]byte) *sealer {
	s := &sealer{sums: crc32.MakeTable(crc32.Castagnoli)}
	for _, k := range keys {
		s.keys = append(s.keys, sealKey{[keyIDSize]byte(DeriveKey(k, "record key id")), DeriveKey(k, "record")})
	}
	return s
}

// seal encrypts plain so that it opens under name alone.
func (s *sealer) seal(name Name, plain []byte) []byte {
	key := s.keys[0]
	b := make([]byte, sealHead, len(plain)+sealOverhead)
	b[0] = sealVersion
	copy(b[1:], key.id[:])
	salt := b[1+keyIDSize : sealHead]
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	aead, nonce := key.aead(salt)
	b = aead.Seal(b, nonce, plain, associated(b[:sealHead], name))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, s.sums))
}

// open returns what was sealed under name: ErrUnreadable when the bytes are not what some key of
// ours sealed under that name, errUnknownKey when another key, or a later version, sealed them.
func (s *sealer) open(name Name, sealed []byte) ([]byte, error) {
	if len(sealed) < sealOverhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrUnreadable, len(sealed))
	}
	body, sum := sealed[:len(sealed)-sealSum], binary.BigEndian.Uint32(sealed[len(sealed)-sealSum:])
	if crc32.Checksum(body, s.sums) != sum {
		return nil, fmt.Errorf("%w: broken bytes", ErrUnreadable)
	}
	known := false
	for _, key := range s.keys {
		if body[0] != sealVersion || [keyIDSize]byte(body[1:]) != key.id {
			continue
		}
		known = true
		aead, nonce := key.aead(body[1+keyIDSize : sealHead])
		if plain, err := aead.Open(nil, nonce, body[sealHead:], associated(body[:sealHead], name)); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, errUnknownKey
	}
	return nil, fmt.Errorf("%w: not sealed under this name", ErrUnreadable)
}

// aead makes the cipher and the nonce of one record.
func (k sealKey) aead(salt []byte) (cipher.AEAD, []byte) {
	const keyBytes, nonceBytes = 32, 12
	derived := expand(k.secret, salt, "record", keyBytes+nonceBytes)
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		panic("session: " + err.Error()) // the key has the right length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("session: " + err.Error()) // AES has the right block size
	}
	return aead, derived[keyBytes:]
}

func associated(head []byte, name Name) []byte {
	return append(append(make([]byte, 0, len(head)+len(name)), head...), name...)
}
