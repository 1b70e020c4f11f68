package jose

import (
	"context"
	"crypto"
	_ "crypto/sha256" // for hashOf
	_ "crypto/sha512" // for hashOf
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// An Attempt is what a login attempt asked for.
type Attempt struct {
	Nonce          string         // as sent; required
	Issuer         string         // iss of the authorization response (RFC 9207); "": it had none
	AccessToken    secret.Value   // that came with the ID token, for at_hash; zero: not checked
	MaxAge         *time.Duration // max_age as sent; nil: not asked. A smaller one of Expectations wins
	AttemptStarted time.Time      // for PromptLogin and max_age=0; zero: not compared
	PromptLogin    bool           // prompt=login was sent: an auth_time, where there is one, must be newer than the attempt
	EssentialACR   []string       // acr must be one of these; empty: not asked
}

// An IDToken is a verified ID token.
type IDToken struct {
	Issuer, Subject, SID, AuthorizedParty, Nonce, ACR, SessionState string
	Audience                                                        []string
	IssuedAt, Expiry, AuthTime                                      time.Time       // AuthTime is zero where the token has none
	SessionExpiry                                                   time.Time       // when the provider wants the session to be over (session_expiry, OpenID Connect Enterprise Extensions); zero: it does not say, or nothing that makes sense
	Claims                                                          json.RawMessage // all of them, one JSON object
}

// Original is what the ID token of the login said, for the checks on a renewed one.
type Original struct {
	Subject, Issuer string
	AuthTime        time.Time // zero: not compared
	Nonce           string    // "": a renewed token must not bear one
	Audience        []string  // nil: checked as at login only

	AccessToken secret.Value // that came with the renewed token, for at_hash; zero: not checked
}

// notIDTokens are the kinds that Keycloak names in a claim "typ", while its header says JWT for all.
var notIDTokens = []string{"Bearer", "DPoP", "Refresh", "Offline", "Logout"}

func (v *Verifier) idTokenKind() tokenKind {
	return tokenKind{types: []string{"", "jwt"}, limit: maxToken, from: &v.keys.own}
}

// IDToken makes the checks of OIDC Core §3.1.3.7 on the ID token of a login. The error is an
// *InvalidTokenError, or that of Keys.
func (v *Verifier) IDToken(ctx context.Context, raw secret.Value, want Attempt) (*IDToken, error) {
	t, c, err := v.readIDToken(ctx, raw)
	if err == nil {
		err = v.checkLogin(t, c, want)
	}
	if err != nil {
		return nil, tokenError(err)
	}
	return t, nil
}

// RenewedIDToken makes the checks of OIDC Core §12.2 on an ID token that came with a renewal.
// Errors are those of IDToken; after an *InvalidTokenError nothing of the answer may be used.
func (v *Verifier) RenewedIDToken(ctx context.Context, raw secret.Value, original *Original) (*IDToken, error) {
	t, c, err := v.readIDToken(ctx, raw)
	if err == nil {
		err = v.checkRenewed(t, c, original)
	}
	if err != nil {
		return nil, tokenError(err)
	}
	return t, nil
}

// tokenError shows a breach as what callers know.
func tokenError(err error) error {
	var b *breach
	if errors.As(err, &b) {
		return &InvalidTokenError{Rule: b.rule, Detail: b.detail}
	}
	return err
}

// readIDToken makes the checks that login and renewal have in common.
func (v *Verifier) readIDToken(ctx context.Context, raw secret.Value) (*IDToken, Object, error) {
	c, err := v.verifySigned(ctx, raw.Reveal(), v.idTokenKind())
	if err != nil {
		return nil, nil, err
	}
	// ID13: a logout token has events (Back-Channel Logout §2.4); an access token of Keycloak has typ.
	if typ, err := c.Text("typ"); c.Has("events") || err == nil && slices.Contains(notIDTokens, typ) {
		return nil, nil, broken("typ", "it is another kind of token")
	}
	t := &IDToken{Issuer: c.issuer(), Claims: c.JSON()}
	if t.IssuedAt, t.Expiry, err = v.checkTimes(c); err != nil {
		return nil, nil, err
	}
	if t.Audience, err = c.Audience(); err != nil {
		return nil, nil, broken("aud", "%v", err)
	}
	if t.AuthTime, _, err = c.time("auth_time"); err != nil {
		return nil, nil, broken("auth_time", "%v", err)
	}
	if at, ok, err := c.time("session_expiry"); ok && err == nil && at.Unix() > 0 {
		t.SessionExpiry = at
	}
	if err := t.readNames(c); err != nil {
		return nil, nil, err
	}
	if t.Subject == "" {
		return nil, nil, broken("sub", "it is missing") // OIDC Core §2; go-oidc lets it pass
	}
	if c.Has("azp") && t.AuthorizedParty != v.want.ClientID {
		return nil, nil, broken("azp", "it is not this client") // step 5
	}
	return t, c, nil
}

func (t *IDToken) readNames(c Object) error {
	for name, to := range map[string]*string{"sub": &t.Subject, "sid": &t.SID, "azp": &t.AuthorizedParty} {
		var err error
		if *to, err = checkName(c, name); err != nil {
			return err
		}
	}
	for name, to := range map[string]*string{"nonce": &t.Nonce, "acr": &t.ACR, "session_state": &t.SessionState} {
		var err error
		if *to, err = c.Text(name); err != nil {
			return broken(name, "%v", err)
		}
	}
	return nil
}

// checkLogin checks what only this attempt can know.
func (v *Verifier) checkLogin(t *IDToken, c Object, want Attempt) error {
	// Step 11 (ID9). An empty expectation never matches: a logout token has no nonce either.
	if want.Nonce == "" || subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(want.Nonce)) != 1 {
		return broken("nonce", "it is not the one of this attempt")
	}
	// RFC 9207 §2.4 with an issuer template: who answered is who issued.
	if want.Issuer != "" && t.Issuer != want.Issuer {
		return broken("iss", "it is not the issuer of the authorization response")
	}
	if err := v.checkAtHash(c, want.AccessToken); err != nil {
		return err
	}
	// Step 12 (ID12).
	if len(want.EssentialACR) > 0 && !slices.Contains(want.EssentialACR, t.ACR) {
		return broken("acr", "it is none of those that were asked for")
	}
	return v.checkAuthTime(t, want)
}

// checkAuthTime checks when the user was there (step 13, ID12).
func (v *Verifier) checkAuthTime(t *IDToken, want Attempt) error {
	limit := v.maxAge(want)
	if limit != nil {
		if t.AuthTime.IsZero() {
			return broken("auth_time", "it is missing, though max_age was asked for")
		}
		if v.want.Now().Sub(t.AuthTime) > *limit+skew {
			return broken("auth_time", "the user was last there at %s", rfc3339(t.AuthTime))
		}
	}
	if t.AuthTime.IsZero() {
		return nil
	}
	if t.AuthTime.After(v.want.Now().Add(skew)) {
		return broken("auth_time", "it is in the future")
	}
	anew := want.PromptLogin || limit != nil && *limit == 0
	if anew && !want.AttemptStarted.IsZero() && t.AuthTime.Before(want.AttemptStarted.Add(-skew)) {
		return broken("auth_time", "the user did not log in anew")
	}
	return nil
}

// maxAge is the smaller max_age of the operator's and the attempt's own, which only a step-up has.
func (v *Verifier) maxAge(want Attempt) *time.Duration {
	if fixed := v.want.MaxAge; fixed != nil && (want.MaxAge == nil || *fixed < *want.MaxAge) {
		return fixed
	}
	return want.MaxAge
}

// checkAtHash binds the access token to the ID token (OIDC Core §3.1.3.6, ID11).
func (v *Verifier) checkAtHash(c Object, accessToken secret.Value) error {
	got, err := c.Text("at_hash")
	if err != nil {
		return broken("at_hash", "%v", err)
	}
	if !c.Has("at_hash") || accessToken.IsZero() {
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(leftHalf(hashOf(v.want.Alg), accessToken.Reveal()))) != 1 {
		return broken("at_hash", "it is not that of the access token")
	}
	return nil
}

func leftHalf(h crypto.Hash, s string) string {
	d := h.New()
	d.Write([]byte(s))
	sum := d.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// checkRenewed compares a renewed ID token with the first (RN6). That azp is this client, if it is
// there at all, was checked already.
func (v *Verifier) checkRenewed(t *IDToken, c Object, original *Original) error {
	switch {
	case original.Issuer != t.Issuer:
		return broken("iss", "it is not the issuer of the first ID token")
	case original.Subject != t.Subject:
		return broken("sub", "it is not the subject of the first ID token")
	case !original.AuthTime.IsZero() && !t.AuthTime.IsZero() && original.AuthTime.Unix() != t.AuthTime.Unix():
		return broken("auth_time", "it is not that of the first ID token")
	case c.Has("nonce") && (original.Nonce == "" || t.Nonce != original.Nonce):
		return broken("nonce", "it is not that of the first ID token")
	}
	for _, a := range original.Audience {
		if !slices.Contains(t.Audience, a) {
			return broken("aud", "it lacks an audience of the first ID token")
		}
	}
	return v.checkAtHash(c, original.AccessToken)
}
