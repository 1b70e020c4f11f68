package jose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// A Verifier judges the tokens of one provider. It is safe for concurrent use.
type Verifier struct {
	want Expectations
	keys *keySet
}

// NewVerifier makes a Verifier of what was published as keys. now is this process's own clock, by
// which fetches and attempts at a signature are limited.
func NewVerifier(want Expectations, keys Keys, now func() time.Time) *Verifier {
	return &Verifier{want: want, keys: newKeySet(want, keys, now)}
}

// A tokenKind is what one kind of JWT may look like.
type tokenKind struct {
	types      []string // header typ, lower case, without "application/"; "" when it may be absent
	limit      int      // bytes
	from       *source
	client     string // who sent it, where that counts; "": not told from others
	withoutExp bool   // exp may be left out
}

// A verified token is go-oidc's verdict, with all the claims of the token.
type verified struct {
	*oidc.IDToken
	claims Object
}

// A breach is a rule that a JWT broke. Callers turn it into the error of their kind of token.
type breach struct{ rule, detail string }

func (b *breach) Error() string { return b.rule + ": " + b.detail }

func broken(rule, format string, args ...any) error {
	return &breach{rule, fmt.Sprintf(format, args...)}
}

// inspect makes the checks that come before any key is touched. The claims that it returns may
// have been written by anybody. The error is a *breach.
func (v *Verifier) inspect(raw string, kind tokenKind) (Object, error) {
	head, claims, err := decodeJWT(raw, kind.limit)
	if err != nil {
		return nil, broken("format", "%v", err)
	}
	return claims, v.checkHeader(head, kind)
}

// verify has go-oidc judge a token: its signature, by keys that this package chooses, and iss, aud
// and exp. Then come the rules for those claims that are stricter. sent are its claims as inspect
// has them. The error is a *breach or that of Keys.
func (v *Verifier) verify(ctx context.Context, raw string, sent Object, kind tokenKind) (*verified, error) {
	iss, ok := v.want.Issuers.expected(sent)
	if !ok {
		return nil, errIssuer()
	}
	by := &verification{keys: v.keys, from: kind.from, client: kind.client, iss: iss}
	token, err := oidc.NewVerifier(iss, by, &oidc.Config{
		ClientID:             v.want.ClientID,
		SupportedSigningAlgs: []string{v.want.Alg},
		SkipExpiryCheck:      kind.withoutExp && !sent.Has("exp"),
		Now:                  v.late,
	}).Verify(ctx, raw)
	switch {
	case errors.Is(by.err, errSignature):
		return nil, broken("signature", "%v", by.err)
	case by.err != nil:
		return nil, by.err
	case err != nil:
		return nil, v.refusal(err, sent)
	}
	t := &verified{IDToken: token}
	if token.Claims(&t.claims) != nil {
		return nil, broken("format", "it has no claims")
	}
	return t, v.checkStrictly(t)
}

// late is the time that go-oidc compares exp with, since it knows no skew. The nanosecond is for
// "on or after" (RFC 7519 §4.1.4), where go-oidc says "after".
func (v *Verifier) late() time.Time { return v.want.Now().Add(time.Nanosecond - skew) }

// refusal names the rule for which go-oidc has refused a token. Its own words may hold the token's
// values, and it has an error type for exp alone.
func (v *Verifier) refusal(err error, sent Object) error {
	if err := v.checkParties(sent); err != nil {
		return err
	}
	if expired := new(oidc.TokenExpiredError); errors.As(err, &expired) {
		if _, err := expiry(sent); err != nil {
			return err
		}
		return ranOut(expired.Expiry)
	}
	if _, _, noTime := sent.time("nbf"); noTime == nil { // else it is of the wrong type
		if err := v.checkNotBefore(sent); err != nil {
			return err
		}
	}
	return broken("format", "it has claims of the wrong type")
}
