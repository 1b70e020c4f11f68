package devprovider

import (
	"context"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// signingKey signs every token of one run of the provider.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.key }

// verificationKey is the public key in the JWK set.
type verificationKey struct{ signing signingKey }

func (k verificationKey) ID() string                         { return k.signing.id }
func (k verificationKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k verificationKey) Use() string                        { return "sig" }
func (k verificationKey) Key() any                           { return &k.signing.key.PublicKey }

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.signing, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{verificationKey{s.signing}}, nil
}
