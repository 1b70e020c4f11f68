package session

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/keys"
)

// A ticket gives whoever holds it access to a session. Its value is made by scs: 256 random bits,
// base64url.
type ticket struct {
	value  string
	issued time.Time // to the second
}

// name returns the name that the store knows the session by: the ticket's hash, so that nobody can
// log in with what the store holds.
func (t ticket) name() Name {
	sum := sha256.Sum256([]byte(t.value))
	return Name(base64.RawURLEncoding.EncodeToString(sum[:]))
}

const (
	ticketVersion = 1
	ticketBytes   = 32
	ticketPayload = 1 + 8 + ticketBytes // version, issue time, random bytes
	// maxTicketCookie bounds the length of a cookie's value; longer values are not decoded.
	maxTicketCookie = 256
)

var errTicket = errors.New("not a ticket of ours")

// A signer turns tickets into cookie values that nobody else can make, so that a forged cookie is
// recognized without asking the store. The first key signs; all keys verify.
type signer struct {
	cookie string // the cookie's name; a signature is valid only for it
	codec  *keys.Codec
}

func newSigner(cookie string, ring *keys.Ring) *signer {
	return &signer{cookie, ring.Signer("ticket", maxTicketCookie)}
}

// sign returns the cookie's value for t.
func (s *signer) sign(t ticket) (string, error) {
	random, err := base64.RawURLEncoding.Strict().DecodeString(t.value)
	if err != nil || len(random) != ticketBytes {
		return "", fmt.Errorf("sign ticket: %w", errTicket)
	}
	payload := make([]byte, 0, ticketPayload)
	payload = append(payload, ticketVersion)
	payload = binary.BigEndian.AppendUint64(payload, uint64(t.issued.Unix()))
	payload = append(payload, random...)
	value, err := s.codec.Seal(s.cookie, payload)
	if err != nil {
		return "", fmt.Errorf("sign ticket: %w", err)
	}
	return value, nil
}

// verify returns the ticket in a cookie's value. The error does not depend on what is wrong with
// it.
func (s *signer) verify(value string) (ticket, error) {
	payload, ok := s.codec.Open(s.cookie, value)
	if !ok || len(payload) != ticketPayload || payload[0] != ticketVersion {
		return ticket{}, errTicket
	}
	return ticket{
		value:  base64.RawURLEncoding.EncodeToString(payload[1+8:]),
		issued: time.Unix(int64(binary.BigEndian.Uint64(payload[1:])), 0),
	}, nil
}
