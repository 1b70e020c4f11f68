package jose

import (
	"slices"
	"strings"
	"time"
)

// maxTokenAge is how long ago a token may have been issued. It comes straight from the provider, so
// that only slow clocks and queues matter (ID7).
const maxTokenAge = 10 * time.Minute

// missing is the detail of a breach: the claim is absent.
const missing = "it is missing"

// checkHeader requires the expected algorithm (ID5, BC2) and type (RFC 8725 §3.11; ID13, BC7).
func (v *Verifier) checkHeader(head Object, kind tokenKind) error {
	if alg, err := head.Text("alg"); err != nil || alg != v.want.Alg {
		return broken("alg", "it is not %s, which this client is registered with", v.want.Alg)
	}
	typ, err := head.Text("typ")
	if err != nil || !slices.Contains(kind.types, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return broken("typ", "it says it is another kind of token")
	}
	// RFC 7515 §4.1.11: a critical extension that is not understood must not be ignored, and none
	// is understood here. cty would mean that the payload is itself a token (RFC 7519 §5.2).
	for _, name := range []string{"crit", "b64", "cty", "enc"} {
		if head.Has(name) {
			return broken(name, "the header has it")
		}
	}
	return nil
}

// checkParties checks iss and aud of a token that go-oidc has not verified, or has refused (OIDC
// Core §3.1.3.7 steps 2 and 3).
func (v *Verifier) checkParties(c Object) error {
	iss, err := c.Text("iss")
	if err != nil || !v.want.Issuers.Has(iss) {
		return errIssuer()
	}
	if err := v.checkTenant(c, iss); err != nil {
		return err
	}
	aud, err := c.Audience()
	if err != nil {
		return broken("aud", "%v", err)
	}
	if !slices.Contains(aud, v.want.ClientID) {
		return errAudience()
	}
	return v.checkFurtherAudiences(aud)
}

func errIssuer() error   { return broken("iss", "it is not the configured issuer") }
func errAudience() error { return broken("aud", "this client is not in it") }

// checkStrictly makes the checks on iss, aud and exp that go-oidc leaves out.
func (v *Verifier) checkStrictly(t *verified) error {
	if err := checkIssuerIsURL(t.Issuer); err != nil {
		return err
	}
	if err := v.checkTenant(t.claims, t.Issuer); err != nil {
		return err
	}
	if err := v.checkFurtherAudiences(t.Audience); err != nil {
		return err
	}
	if t.claims.Has("exp") {
		if _, err := expiry(t.claims); err != nil {
			return err
		}
	}
	return v.checkExactNames(t)
}

// checkIssuerIsURL requires iss to have a scheme (OIDC Core §2): go-oidc lets Google leave it out.
func checkIssuerIsURL(iss string) error {
	if !strings.Contains(iss, "://") {
		return errIssuer()
	}
	return nil
}

// checkTenant requires tid, if a token from an issuer template has it, to be the tenant of its iss.
func (v *Verifier) checkTenant(c Object, iss string) error {
	if v.want.Issuers.tenants == nil || !c.Has("tid") {
		return nil
	}
	if tid, err := c.Text("tid"); err != nil || tid != v.want.Issuers.tenants[iss] {
		return broken("tid", "it is not the tenant of the issuer")
	}
	return nil
}

// checkFurtherAudiences refuses a token with an audience that is not trusted (OIDC Core §3.1.3.7
// step 3): go-oidc only looks for the client.
func (v *Verifier) checkFurtherAudiences(aud []string) error {
	for _, a := range aud {
		if a != v.want.ClientID && !slices.Contains(v.want.TrustedAudiences, a) {
			return broken("aud", "it names another audience that is not trusted")
		}
	}
	return nil
}

// checkExactNames requires that go-oidc has verified the claims of exactly these names (RFC 7519
// §7.3): it uses encoding/json, which accepts a member "ISS" for iss.
func (v *Verifier) checkExactNames(t *verified) error {
	iss, err := t.claims.Text("iss")
	if err != nil || iss != t.Issuer {
		return errIssuer()
	}
	aud, err := t.claims.Audience()
	if err != nil {
		return broken("aud", "%v", err)
	}
	if !slices.Equal(aud, t.Audience) {
		return errAudience()
	}
	if at, there, _ := t.claims.time("exp"); there && at.Unix() != t.Expiry.Unix() {
		_, err = v.checkExpiry(t.claims)
	}
	return err
}

// expiry returns exp, which must be a number of seconds within range (RFC 7519 §2 and §4.1.4);
// go-oidc does not check that.
func expiry(c Object) (time.Time, error) {
	at, ok, err := c.time("exp")
	switch {
	case err != nil:
		return at, broken("exp", "%v", err)
	case !ok:
		return at, broken("exp", missing)
	}
	return at, nil
}

// checkExpiry checks exp of a token that go-oidc has not verified.
func (v *Verifier) checkExpiry(c Object) (time.Time, error) {
	at, err := expiry(c)
	if err == nil && !v.want.Now().Before(at.Add(skew)) {
		err = ranOut(at)
	}
	return at, err
}

func ranOut(at time.Time) error { return broken("exp", "it ran out at %s", rfc3339(at)) }

// checkNotBefore checks nbf (RFC 7519 §4.1.5), with a smaller tolerance than the five minutes of
// go-oidc.
func (v *Verifier) checkNotBefore(c Object) error {
	notBefore, ok, err := c.time("nbf")
	switch {
	case err != nil:
		return broken("nbf", "%v", err)
	case ok && notBefore.After(v.want.Now().Add(skew)):
		return broken("nbf", "it is valid from %s", rfc3339(notBefore))
	}
	return nil
}

// checkIssued checks nbf and iat (OIDC Core §2 and §3.1.3.7 step 10); go-oidc does not check iat.
func (v *Verifier) checkIssued(c Object) (issued time.Time, err error) {
	if err := v.checkNotBefore(c); err != nil {
		return issued, err
	}
	now := v.want.Now()
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

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkName returns a claim that is a name or identifier: a string of at most maxName bytes; "" if
// it is absent.
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
