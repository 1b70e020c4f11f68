package jose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// A Verifier verifies the tokens of one provider. It is safe for concurrent use.
type Verifier struct {
	want Expectations
	keys *keySet
}

// NewVerifier returns a Verifier that uses the published keys. now is this process's own clock, for
// the limits on fetches and verifications.
func NewVerifier(want Expectations, keys Keys, now func() time.Time) *Verifier {
	return &Verifier{want: want, keys: newKeySet(want, keys, now)}
}

// A tokenKind describes one kind of JWT.
type tokenKind struct {
	types      []string // header typ, lower case, without "application/"; "" when it may be absent
	limit      int      // bytes
	from       *source
	client     string // who sent it, if that matters; "": can't be told apart from others
	withoutExp bool   // exp may be left out
}

// A verified is a token that go-oidc has verified, with all its claims.
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

// inspect makes the checks that need no key. Anybody may have written the claims that it returns.
// The error is a *breach.
func (v *Verifier) inspect(raw string, kind tokenKind) (Object, error) {
	head, claims, err := decodeJWT(raw, kind.limit)
	if err != nil {
		return nil, broken("format", "%v", err)
	}
	return claims, v.checkHeader(head, kind)
}

// verify lets go-oidc verify a token: the signature, with keys that this package selects, and iss,
// aud and exp. Then it applies the stricter rules for those claims. sent are the claims that
// inspect returned. The error is a *breach or that of Keys.
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

// late returns the time that go-oidc compares exp with; go-oidc has no tolerance of its own. The
// nanosecond turns its "after" into "on or after" (RFC 7519 §4.1.4).
func (v *Verifier) late() time.Time { return v.want.Now().Add(time.Nanosecond - skew) }

// refusal returns the rule for which go-oidc has refused a token. go-oidc's own message may contain
// values of the token, and it has an error type only for exp.
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
	if _, _, noTime := sent.time("nbf"); noTime == nil { // otherwise it has the wrong type
		if err := v.checkNotBefore(sent); err != nil {
			return err
		}
	}
	return broken("format", "it has claims of the wrong type")
}
