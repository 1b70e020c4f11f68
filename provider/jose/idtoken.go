package jose

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// An IDToken is a verified ID token.
type IDToken struct {
	Issuer, Subject, SID, AuthorizedParty, Nonce, ACR, SessionState string

	Audience         []string
	IssuedAt, Expiry time.Time
	AuthTime         time.Time // zero where the token has none
	// SessionExpiry is when the provider wants the session to end (session_expiry, OpenID Connect
	// Enterprise Extensions). It is zero if the claim is absent or unusable.
	SessionExpiry time.Time
	Claims        json.RawMessage // all of them, one JSON object
}

// notIDTokens are the kinds of token that Keycloak names in a claim "typ"; the header says JWT for
// all of them. The list is never written to.
var notIDTokens = []string{"Bearer", "DPoP", "Refresh", "Offline", "Logout"}

// IDToken makes the checks of OIDC Core §3.1.3.7 on the ID token of a login. The error is an
// *InvalidTokenError, or that of Keys.
func (v *Verifier) IDToken(ctx context.Context, raw secret.Value, want Attempt) (*IDToken, error) {
	return v.readIDToken(ctx, raw, func(t *IDToken, by *verified) error { return v.checkLogin(t, by, want) })
}

// RenewedIDToken makes the checks of OIDC Core §12.2 on the ID token of a renewal. Errors are those
// of IDToken. After an *InvalidTokenError nothing of the token response may be used.
func (v *Verifier) RenewedIDToken(ctx context.Context, raw secret.Value, original *Original) (*IDToken, error) {
	return v.readIDToken(ctx, raw, func(t *IDToken, by *verified) error { return v.checkRenewed(t, by, original) })
}

// readIDToken makes the checks common to login and renewal, and then those of check.
func (v *Verifier) readIDToken(
	ctx context.Context, raw secret.Value, check func(*IDToken, *verified) error,
) (*IDToken, error) {
	kind := tokenKind{types: []string{"", "jwt"}, limit: maxToken, from: &v.keys.own}
	sent, err := v.inspect(raw.Reveal(), kind)
	if err != nil {
		return nil, tokenError(err)
	}
	by, err := v.verify(ctx, raw.Reveal(), sent, kind)
	if err != nil {
		return nil, tokenError(err)
	}
	t, err := v.idToken(by)
	if err == nil {
		err = check(t, by)
	}
	if err != nil {
		return nil, tokenError(err)
	}
	return t, nil
}

// tokenError turns a breach into an *InvalidTokenError; other errors are returned as they are.
func tokenError(err error) error {
	var b *breach
	if errors.As(err, &b) {
		return &InvalidTokenError{Rule: b.rule, Detail: b.detail}
	}
	return err
}

// idToken reads the claims of an ID token that go-oidc has verified.
func (v *Verifier) idToken(by *verified) (*IDToken, error) {
	c := by.claims
	if err := checkNoOtherKind(c); err != nil {
		return nil, err
	}
	t := &IDToken{Issuer: by.Issuer, Audience: by.Audience, Claims: c.JSON()}
	var err error
	if t.Expiry, err = expiry(c); err != nil {
		return nil, err
	}
	if t.IssuedAt, err = v.checkIssued(c); err != nil {
		return nil, err
	}
	if t.AuthTime, _, err = c.time("auth_time"); err != nil {
		return nil, broken("auth_time", "%v", err)
	}
	if at, ok, err := c.time("session_expiry"); ok && err == nil && at.Unix() > 0 {
		t.SessionExpiry = at
	}
	if err := t.readNames(c); err != nil {
		return nil, err
	}
	if t.Subject == "" {
		return nil, broken("sub", missing) // OIDC Core §2; go-oidc lets it pass
	}
	if c.Has("azp") && t.AuthorizedParty != v.want.ClientID {
		return nil, broken("azp", "it is not this client") // OIDC Core §3.1.3.7 step 5
	}
	return t, nil
}

// checkNoOtherKind refuses other kinds of token (RFC 8725 §3.11; ID13): a logout token has events
// (Back-Channel Logout §2.4), an access token of Keycloak has typ.
func checkNoOtherKind(c Object) error {
	if typ, err := c.Text("typ"); c.Has("events") || err == nil && slices.Contains(notIDTokens, typ) {
		return broken("typ", "it is another kind of token")
	}
	return nil
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

// checkLogin makes the checks that depend on the login attempt.
func (v *Verifier) checkLogin(t *IDToken, by *verified, want Attempt) error {
	// Step 11 (ID9). An empty nonce never matches: a logout token has none, either.
	if want.Nonce == "" || subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(want.Nonce)) != 1 {
		return broken("nonce", "it is not the one of this attempt")
	}
	// RFC 9207 §2.4 with an issuer template: the issuer of the response must be the issuer of the
	// token.
	if want.Issuer != "" && t.Issuer != want.Issuer {
		return broken("iss", "it is not the issuer of the authorization response")
	}
	if err := v.checkAtHash(by, want.AccessToken); err != nil {
		return err
	}
	// Step 12 (ID12).
	if len(want.EssentialACR) > 0 && !slices.Contains(want.EssentialACR, t.ACR) {
		return broken("acr", "it is none of those that were asked for")
	}
	return v.checkAuthTime(t, want)
}

// checkAuthTime checks when the user authenticated (step 13, ID12).
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
	mustReauthenticate := want.PromptLogin || limit != nil && *limit == 0
	if mustReauthenticate && !want.Started.IsZero() && t.AuthTime.Before(want.Started.Add(-skew)) {
		return broken("auth_time", "the user did not log in anew")
	}
	return nil
}

// maxAge returns the smaller of the operator's max_age and that of the attempt, which only a
// step-up has.
func (v *Verifier) maxAge(want Attempt) *time.Duration {
	if fixed := v.want.MaxAge; fixed != nil && (want.MaxAge == nil || *fixed < *want.MaxAge) {
		return fixed
	}
	return want.MaxAge
}

// checkAtHash checks that the ID token belongs to the access token, if it has at_hash (OIDC Core
// §3.1.3.6, ID11).
func (v *Verifier) checkAtHash(by *verified, accessToken secret.Value) error {
	if !by.claims.Has("at_hash") || accessToken.IsZero() {
		return nil
	}
	got, err := by.claims.Text("at_hash")
	if err != nil || got != by.AccessTokenHash { // see checkExactNames
		return errAtHash()
	}
	matches := by.VerifyAccessToken(accessToken.Reveal()) == nil
	if IsHMAC(v.want.Alg) {
		matches = got == halfHash(v.want.Alg, accessToken)
	}
	if !matches {
		return errAtHash()
	}
	return nil
}

func errAtHash() error { return broken("at_hash", "it is not that of the access token") }

// halfHash returns the at_hash for an HMAC algorithm (OIDC Core §3.1.3.6), which go-oidc can't
// compute.
func halfHash(alg string, accessToken secret.Value) string {
	h := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[alg]()
	h.Write([]byte(accessToken.Reveal()))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:h.Size()/2])
}

// checkRenewed compares a renewed ID token with the first (RN6). azp was checked before.
func (v *Verifier) checkRenewed(t *IDToken, by *verified, original *Original) error {
	switch {
	case original.Issuer != t.Issuer:
		return broken("iss", "it is not the issuer of the first ID token")
	case original.Subject != t.Subject:
		return broken("sub", "it is not the subject of the first ID token")
	case !original.AuthTime.IsZero() && !t.AuthTime.IsZero() && original.AuthTime.Unix() != t.AuthTime.Unix():
		return broken("auth_time", "it is not that of the first ID token")
	case by.claims.Has("nonce") && (original.Nonce == "" || t.Nonce != original.Nonce):
		return broken("nonce", "it is not that of the first ID token")
	}
	for _, a := range original.Audience {
		if !slices.Contains(t.Audience, a) {
			return broken("aud", "it lacks an audience of the first ID token")
		}
	}
	return v.checkAtHash(by, original.AccessToken)
}
