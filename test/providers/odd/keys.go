package odd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// A Key signs tokens. Its public key is in the key set unless Hidden.
type Key struct {
	ID, Alg string
	Private crypto.Signer // nil for HS* and none
	Secret  []byte        // for HS*
	Hidden  bool
}

// firstRSA and firstEC are made once: an RSA key costs a tenth of a second.
var (
	firstRSA = sync.OnceValue(func() *Key { return NewKey("rsa-1", "RS256") })
	firstEC  = sync.OnceValue(func() *Key { return NewKey("ec-1", "ES256") })
)

// NewKey makes a key for an algorithm of the RS, PS, ES or EdDSA family.
func NewKey(id, alg string) *Key {
	k := &Key{ID: id, Alg: alg}
	var err error
	switch alg[:2] {
	case "RS", "PS":
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES":
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg]
		k.Private, err = ecdsa.GenerateKey(curve, rand.Reader)
	case "Ed":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return k
}

// JWK returns the public key as an entry of a key set.
func (k *Key) JWK() Claims {
	b, err := jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: k.Alg, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var c Claims
	if err := json.Unmarshal(b, &c); err != nil {
		panic(err)
	}
	return c
}

// SetKeys replaces the provider's keys. The first of the client's algorithm signs.
func (p *Provider) SetKeys(keys ...*Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// PublishAlso adds entries to the key set that are not the provider's keys: any JSON value.
func (p *Provider) PublishAlso(entries ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.extraKeys = append(p.extraKeys, entries...)
}

// Rotate replaces all keys by a new one for the client's algorithm, and returns it.
func (p *Provider) Rotate() *Key {
	p.mu.Lock()
	p.serial++
	id := fmt.Sprintf("rotated-%d", p.serial)
	p.mu.Unlock()
	k := NewKey(id, p.Client.Alg)
	p.SetKeys(k)
	return k
}

// Key returns the provider's key with this id, or else the first for this algorithm, or nil.
func (p *Provider) Key(id, alg string) *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	var fitting *Key
	for _, k := range p.keys {
		if id != "" && k.ID == id {
			return k
		}
		if fitting == nil && k.Alg == alg {
			fitting = k
		}
	}
	return fitting
}

// Sign makes a compact JWS by header["alg"], regardless of key.Alg. With "none" the signature is
// empty.
func Sign(key *Key, header, claims Claims) string {
	h, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	alg, _ := header["alg"].(string)
	return SignRaw(key, alg, h, c)
}

// SignRaw signs a header and payload unchanged, including repeated members.
func SignRaw(key *Key, alg string, header, payload []byte) string {
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature(key, alg, []byte(input)))
}

func signature(key *Key, alg string, input []byte) []byte {
	if alg == "none" {
		return nil
	}
	if alg == "EdDSA" {
		return must(key.Private.Sign(rand.Reader, input, crypto.Hash(0)))
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	if alg[:2] == "HS" {
		m := hmac.New(hash.New, key.Secret)
		m.Write(input)
		return m.Sum(nil)
	}
	d := hash.New()
	d.Write(input)
	switch private := key.Private.(type) {
	case *rsa.PrivateKey:
		if alg[:2] == "PS" {
			return must(rsa.SignPSS(rand.Reader, private, hash, d.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, private, hash, d.Sum(nil)))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, d.Sum(nil))
		if err != nil {
			panic(err)
		}
		return fixed(r, s, (private.Params().BitSize+7)/8)
	}
	panic("odd: a key that can't sign " + alg)
}

// fixed is an ECDSA signature in the format of JWS (RFC 7518 §3.4).
func fixed(r, s *big.Int, size int) []byte {
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
