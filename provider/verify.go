package provider

import (
	"context"
	"encoding/json"
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
// algorithm by a key of its own, typ, issuer, audience. The error is a *breach or an ErrUnreachable
// (or ErrMisconfigured) of fetching keys. Nothing is fetched for a token that could not pass anyway.
func (p *Provider) verifySigned(ctx context.Context, raw string, kind tokenKind) (claims, error) {
	c, err := p.inspect(raw, kind)
	if err == nil {
		err = p.verifySignature(ctx, raw, c.issuer(), kind)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// inspect makes those checks of verifySigned that need no key: a *breach, or claims that anybody may have written.
func (p *Provider) inspect(raw string, kind tokenKind) (claims, error) {
	head, body, err := decodeJWT(raw, kind.limit)
	if err != nil {
		return nil, broken("format", "%v", err)
	}
	if err := p.checkHeader(head, kind); err != nil {
		return nil, err
	}
	if err := p.checkParties(body); err != nil {
		return nil, err
	}
	return body, nil
}

// verifySignature has go-oidc verify the signature with our keys and algorithm, and check issuer and
// audience as it does. Times are ours: go-oidc knows no skew on exp and takes iat as it comes.
func (p *Provider) verifySignature(ctx context.Context, raw, iss string, kind tokenKind) error {
	v := &verification{keys: p.keys, from: kind.from, client: kind.client, iss: iss}
	verifier := oidc.NewVerifier(iss, v, &oidc.Config{
		ClientID:             p.config.ClientID,
		SupportedSigningAlgs: []string{p.config.IDTokenAlg},
		SkipExpiryCheck:      true,
	})
	_, err := verifier.Verify(ctx, raw)
	switch {
	case err == nil:
		return nil
	case errors.Is(v.err, errSignature):
		return broken("signature", "%v", v.err)
	case v.err != nil:
		return v.err
	}
	// go-oidc's message may hold the token's values; its reasons of its own are malformed claims.
	return broken("format", "it has claims of the wrong type")
}

// checkHeader pins algorithm (ID5, BC2) and type (RFC 8725 §3.11; ID13, BC7).
func (p *Provider) checkHeader(head claims, kind tokenKind) error {
	if alg, err := head.text("alg"); err != nil || alg != p.config.IDTokenAlg {
		return broken("alg", "it is not %s, which this client is registered with", p.config.IDTokenAlg)
	}
	typ, err := head.text("typ")
	if err != nil || !slices.Contains(kind.types, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return broken("typ", "it says it is another kind of token")
	}
	// RFC 7515 §4.1.11: an extension that is not understood must not be passed over, and none is. cty
	// would mean that the payload is a token in turn (RFC 7519 §5.2).
	for _, name := range []string{"crit", "b64", "cty", "enc"} {
		if head.has(name) {
			return broken(name, "the header has it")
		}
	}
	return nil
}

// checkParties checks iss (exactly: go-oidc lets Google leave out the scheme) and aud (OIDC Core
// §3.1.3.7 steps 2 and 3).
func (p *Provider) checkParties(c claims) error {
	iss, err := c.text("iss")
	if err != nil || !p.issuers.has(iss) {
		return broken("iss", "it is not the configured issuer")
	}
	if err := p.checkTenant(c, iss); err != nil {
		return err
	}
	aud, err := c.audience()
	if err != nil {
		return broken("aud", "%v", err)
	}
	if !slices.Contains(aud, p.config.ClientID) {
		return broken("aud", "this client is not in it")
	}
	for _, a := range aud {
		if a != p.config.ClientID && !slices.Contains(p.config.TrustedAudiences, a) {
			return broken("aud", "it names another audience that is not trusted")
		}
	}
	return nil
}

// checkTenant wants tid, where a token of an issuer template has one, to be the tenant of its iss.
func (p *Provider) checkTenant(c claims, iss string) error {
	if p.issuers.tenants == nil || !c.has("tid") {
		return nil
	}
	if tid, err := c.text("tid"); err != nil || tid != p.issuers.tenants[iss] {
		return broken("tid", "it is not the tenant of the issuer")
	}
	return nil
}

// issuer is the iss that verifySigned has checked.
func (c claims) issuer() string {
	iss, _ := c.text("iss")
	return iss
}

// checkTimes checks exp, nbf and iat (steps 9 and 10).
func (p *Provider) checkTimes(c claims) (issued, expiry time.Time, err error) {
	if expiry, err = p.checkExpiry(c); err != nil {
		return issued, expiry, err
	}
	issued, err = p.checkIssued(c)
	return issued, expiry, err
}

// checkIssued checks nbf and iat.
func (p *Provider) checkIssued(c claims) (issued time.Time, err error) {
	now := p.now()
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

func (p *Provider) checkExpiry(c claims) (time.Time, error) {
	expiry, ok, err := c.time("exp")
	switch {
	case err != nil:
		return expiry, broken("exp", "%v", err)
	case !ok:
		return expiry, broken("exp", missing)
	case !p.now().Before(expiry.Add(skew)):
		return expiry, broken("exp", "it ran out at %s", rfc3339(expiry))
	}
	return expiry, nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkName reads a claim that names someone or something: a string, bounded; "" where it is absent.
func checkName(c claims, name string) (string, error) {
	s, err := c.text(name)
	if err != nil {
		return "", broken(name, "%v", err)
	}
	if len(s) > maxName {
		return "", broken(name, "it is longer than %d bytes", maxName)
	}
	return s, nil
}

// object is the claims as one JSON object again.
func (c claims) object() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil { // can't be: each member was parsed
		return json.RawMessage("{}")
	}
	return b
}
