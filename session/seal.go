package session

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// What opening a sealed record can come to, beside success.
var (
	// errGarbled: sealed under a key we have, and altered since or moved to another name.
	errGarbled = errors.New("sealed record was altered")
	// errUnknownKey: sealed under a key that is not among session.keys. An operator's fault, most
	// likely one that concerns every record; nobody is logged out for it.
	errUnknownKey = errors.New("record is sealed under a key that is not in session.keys; put the old key back behind the new one")
)

const (
	sealVersion = 1
	keyIDSize   = 4
	headerSize  = 1 + keyIDSize
)

// A sealer seals records with XChaCha20-Poly1305 under a key of their own, derived from a configured
// one and the record's name. The name is associated data too: a record that is copied onto another's
// name does not open (LG7). Nonces are 192 random bits, so they never meet.
//
// Sealed form: version (1 byte), key id (4), nonce (24), ciphertext.
type sealer struct{ keys []sealKey }

type sealKey struct {
	id  [keyIDSize]byte
	key []byte
}

func newSealer(keys [][]byte) *sealer {
	s := &sealer{}
	for _, k := range keys {
		derived := DeriveKey(k, "record")
		sum := sha256.Sum256(append([]byte("cloakroom key id"), derived...))
		s.keys = append(s.keys, sealKey{[keyIDSize]byte(sum[:keyIDSize]), derived})
	}
	return s
}

// seal seals under the first key.
func (s *sealer) seal(name Name, plain []byte) ([]byte, error) {
	k := s.keys[0]
	aead, err := chacha20poly1305.NewX(derive(k.key, []byte(name), "record"))
	if err != nil {
		return nil, fmt.Errorf("set up the cipher of a record: %w", err)
	}
	out := make([]byte, headerSize+aead.NonceSize(), headerSize+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0] = sealVersion
	copy(out[1:], k.id[:])
	nonce := out[headerSize:]
	rand.Read(nonce) // never fails (crypto/rand, Go 1.24)
	return aead.Seal(out, nonce, plain, []byte(name)), nil
}

// open opens what any of the keys sealed. It returns errUnknownKey or errGarbled.
func (s *sealer) open(name Name, sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize+chacha20poly1305.NonceSizeX || sealed[0] != sealVersion {
		return nil, errGarbled
	}
	for _, k := range s.keys {
		if [keyIDSize]byte(sealed[1:headerSize]) != k.id {
			continue
		}
		aead, err := chacha20poly1305.NewX(derive(k.key, []byte(name), "record"))
		if err != nil {
			return nil, fmt.Errorf("set up the cipher of a record: %w", err)
		}
		nonce, ct := sealed[headerSize:headerSize+aead.NonceSize()], sealed[headerSize+aead.NonceSize():]
		plain, err := aead.Open(nil, nonce, ct, []byte(name))
		if err != nil {
			return nil, errGarbled
		}
		return plain, nil
	}
	return nil, errUnknownKey
}
