package jose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxTokenAge is how long before its arrival a token may have been issued: it comes straight from the
// provider, so only slow clocks and queues count (ID7).
const maxTokenAge = 10 * time.Minute

// missing is the detail of a breach whose claim is not there.
const missing = "it is missing"

// A breach is a rule that a JWT broke. Callers turn it into the error of their kind of token.
type breach struct{ rule, detail string }

func (b *breach) Error() string { return b.rule + ": " + b.detail }

func broken(rule, format string, args ...any) error {
	return &breach{rule, fmt.Sprintf(format, args...)}
}

// A tokenKind is what one kind of JWT may look like.
type tokenKind struct {
	types []string // header typ, lower case, without "application/"; "" when it may be absent
	limit int      // bytes
	from  *source

	client string // who sent it, where that counts; "": not told from others
}

// verifySigned checks what every JWT of the provider has in common: one signature of the registered
// algorithm by a key of its own, typ, issuer, audience. The error is a *breach or that of fetching
// keys. Nothing is fetched for a token that could not pass anyway.
func (v *Verifier) verifySigned(ctx context.Context, raw string, kind tokenKind) (Object, error) {
	c, err := v.inspect(raw, kind)
	if err == nil {
		err = v.verifySignature(ctx, raw, c.issuer(), kind)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// inspect makes those checks of verifySigned that need no key: a *breach, or claims that anybody may have written.
func (v *Verifier) inspect(raw string, kind tokenKind) (Object, error) {
	head, body, err := decodeJWT(raw, kind.limit)
	if err != nil {
		return nil, broken("format", "%v", err)
	}
	if err := v.checkHeader(head, kind); err != nil {
		return nil, err
	}
	if err := v.checkParties(body); err != nil {
		return nil, err
	}
	return body, nil
}

// verifySignature has go-oidc verify the signature with our keys and algorithm, and check issuer and
// audience as it does. Times are ours: go-oidc knows no skew on exp and takes iat as it comes.
func (v *Verifier) verifySignature(ctx context.Context, raw, iss string, kind tokenKind) error {
	by := &verification{keys: v.keys, from: kind.from, client: kind.client, iss: iss}
	verifier := oidc.NewVerifier(iss, by, &oidc.Config{
		ClientID:             v.want.ClientID,
		SupportedSigningAlgs: []string{v.want.Alg},
		SkipExpiryCheck:      true,
	})
	_, err := verifier.Verify(ctx, raw)
	switch {
	case err == nil:
		return nil
	case errors.Is(by.err, errSignature):
		return broken("signature", "%v", by.err)
	case by.err != nil:
		return by.err
	}
	// go-oidc's message may hold the token's values; its reasons of its own are malformed claims.
	return broken("format", "it has claims of the wrong type")
}

// checkHeader pins algorithm (ID5, BC2) and type (RFC 8725 §3.11; ID13, BC7).
func (v *Verifier) checkHeader(head Object, kind tokenKind) error {
	if alg, err := head.Text("alg"); err != nil || alg != v.want.Alg {
		return broken("alg", "it is not %s, which this client is registered with", v.want.Alg)
	}
	typ, err := head.Text("typ")
	if err != nil || !slices.Contains(kind.types, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return broken("typ", "it says it is another kind of token")
	}
	// RFC 7515 §4.1.11: an extension that is not understood must not be passed over, and none is. cty
	// would mean that the payload is a token in turn (RFC 7519 §5.2).
	for _, name := range []string{"crit", "b64", "cty", "enc"} {
		if head.Has(name) {
			return broken(name, "the header has it")
		}
	}
	return nil
}

// checkParties checks iss (exactly: go-oidc lets Google leave out the scheme) and aud (OIDC Core
// §3.1.3.7 steps 2 and 3).
func (v *Verifier) checkParties(c Object) error {
	iss, err := c.Text("iss")
	if err != nil || !v.want.Issuers.Has(iss) {
		return broken("iss", "it is not the configured issuer")
	}
	if err := v.checkTenant(c, iss); err != nil {
		return err
	}
	aud, err := c.Audience()
	if err != nil {
		return broken("aud", "%v", err)
	}
	if !slices.Contains(aud, v.want.ClientID) {
		return broken("aud", "this client is not in it")
	}
	for _, a := range aud {
		if a != v.want.ClientID && !slices.Contains(v.want.TrustedAudiences, a) {
			return broken("aud", "it names another audience that is not trusted")
		}
	}
	return nil
}

// checkTenant wants tid, where a token of an issuer template has one, to be the tenant of its iss.
func (v *Verifier) checkTenant(c Object, iss string) error {
	if v.want.Issuers.tenants == nil || !c.Has("tid") {
		return nil
	}
	if tid, err := c.Text("tid"); err != nil || tid != v.want.Issuers.tenants[iss] {
		return broken("tid", "it is not the tenant of the issuer")
	}
	return nil
}

// issuer is the iss that verifySigned has checked.
func (c Object) issuer() string {
	iss, _ := c.Text("iss")
	return iss
}

// checkTimes checks exp, nbf and iat (steps 9 and 10).
func (v *Verifier) checkTimes(c Object) (issued, expiry time.Time, err error) {
	if expiry, err = v.checkExpiry(c); err != nil {
		return issued, expiry, err
	}
	issued, err = v.checkIssued(c)
	return issued, expiry, err
}

// checkIssued checks nbf and iat.
func (v *Verifier) checkIssued(c Object) (issued time.Time, err error) {
	now := v.want.Now()
	if notBefore, ok, err := c.time("nbf"); err != nil {
		return issued, broken("nbf", "%v", err)
	} else if ok && notBefore.After(now.Add(skew)) {
		return issued, broken("nbf", "it is valid from %s", rfc3339(notBefore))
	}
	issued, ok, err := c.time("iat")
	switch {
	case err != nil:
		return issued, broken("iat", "%v", err)
	case !ok:
		return issued, broken("iat", missing)
	case issued.After(now.Add(skew)), issued.Before(now.Add(-maxTokenAge - skew)):
		return issued, broken("iat", "it was issued at %s", rfc3339(issued))
	}
	return issued, nil
}

func (v *Verifier) checkExpiry(c Object) (time.Time, error) {
	expiry, ok, err := c.time("exp")
	switch {
	case err != nil:
		return expiry, broken("exp", "%v", err)
	case !ok:
		return expiry, broken("exp", missing)
	case !v.want.Now().Before(expiry.Add(skew)):
		return expiry, broken("exp", "it ran out at %s", rfc3339(expiry))
	}
	return expiry, nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkName reads a claim that names someone or something: a string, bounded; "" where it is absent.
func checkName(c Object, name string) (string, error) {
	s, err := c.Text(name)
	if err != nil {
		return "", broken(name, "%v", err)
	}
	if len(s) > maxName {
		return "", broken(name, "it is longer than %d bytes", maxName)
	}
	return s, nil
}
