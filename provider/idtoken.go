package provider

import (
	"context"
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/cloakroom/cloakroom/secret"
)

const (
	clockSkew = 30 * time.Second // how far the provider's clock may be off, either way
	maxIssued = time.Hour        // how old an ID token or logout token may be when it first comes
	maxSub    = 255              // OIDC Core §2: sub must not exceed 255 ASCII characters
)

// An Expectation is what the login attempt asked for.
type Expectation struct {
	Nonce          string         // as sent; required
	AccessToken    secret.Value   // for at_hash; zero: not checked
	MaxAge         *time.Duration // max_age as sent; nil: not asked
	AttemptStarted time.Time      // for PromptLogin and max_age=0
	PromptLogin    bool           // prompt=login was sent
	EssentialACR   []string       // acr must be one of these; empty: not asked
}

// An IDToken is a verified ID token.
type IDToken struct {
	Issuer, Subject, SID, AuthorizedParty, Nonce, ACR, SessionState string
	Audience                                                        []string
	IssuedAt, Expiry, AuthTime                                      time.Time       // AuthTime is zero when absent
	Claims                                                          json.RawMessage // all of them, as signed
}

// Original is what the ID token of the login said, for the checks on a renewed one.
type Original struct {
	Subject, Issuer string
	AuthTime        time.Time // zero: not compared
	Nonce           string    // "": a renewed token may not bear one
}

// idClaims are the claims that the checks read. Pointers tell absent from empty.
type idClaims struct {
	Issuer       string           `json:"iss"`
	Subject      *string          `json:"sub"`
	Audience     audience         `json:"aud"`
	Azp          *string          `json:"azp"`
	Expiry       *numericDate     `json:"exp"`
	IssuedAt     *numericDate     `json:"iat"`
	NotBefore    *numericDate     `json:"nbf"`
	AuthTime     *numericDate     `json:"auth_time"`
	Nonce        *string          `json:"nonce"`
	ACR          string           `json:"acr"`
	AtHash       *string          `json:"at_hash"`
	SID          string           `json:"sid"`
	SessionState string           `json:"session_state"`
	Events       *json.RawMessage `json:"events"`
}

// VerifyIDToken checks an ID token of a login (OIDC Core §3.1.3.7). An error is an *InvalidTokenError
// or, when the keys can't be had, ErrUnreachable.
func (p *Provider) VerifyIDToken(ctx context.Context, raw secret.Value, want Expectation) (*IDToken, error) {
	c, payload, err := p.verifyJWT(ctx, raw.Reveal())
	if err != nil {
		return nil, err
	}
	if c.Nonce == nil || subtle.ConstantTimeCompare([]byte(*c.Nonce), []byte(want.Nonce)) != 1 {
		return nil, invalid("nonce", "it is not the one that was sent")
	}
	if err := checkAtHash(c, p.config.IDTokenAlg, want.AccessToken); err != nil {
		return nil, err
	}
	if err := p.checkAuthentication(c, want); err != nil {
		return nil, err
	}
	return c.token(payload), nil
}

// VerifyRefreshedIDToken checks an ID token that came with a renewal (OIDC Core §12.2). Errors are as
// VerifyIDToken's.
func (p *Provider) VerifyRefreshedIDToken(ctx context.Context, raw secret.Value, original *Original) (*IDToken, error) {
	c, payload, err := p.verifyJWT(ctx, raw.Reveal())
	if err != nil {
		return nil, err
	}
	switch {
	case *c.Subject != original.Subject:
		return nil, invalid("sub", "it is another user than at the login")
	case c.Issuer != original.Issuer:
		return nil, invalid("iss", "it is another issuer than at the login")
	case c.AuthTime != nil && !original.AuthTime.IsZero() && !c.AuthTime.time().Equal(original.AuthTime):
		return nil, invalid("auth_time", "it is another than at the login")
	case c.Nonce != nil && *c.Nonce != original.Nonce:
		return nil, invalid("nonce", "it is another than at the login")
	}
	return c.token(payload), nil
}

// verifyJWT checks what every ID token must hold: go-oidc checks signature, issuer, audience and
// expiry, and we what it leaves to its callers.
func (p *Provider) verifyJWT(ctx context.Context, raw string) (*idClaims, json.RawMessage, error) {
	c, payload, err := p.readJWT(raw, "", "JWT")
	if err != nil {
		return nil, nil, err
	}
	if err := p.checkClaims(c); err != nil {
		return nil, nil, err
	}
	verifier := oidc.NewVerifier(p.config.Issuer, eagerKeys{p.keys}, &oidc.Config{
		ClientID: p.config.ClientID, SupportedSigningAlgs: []string{p.config.IDTokenAlg},
		Now: func() time.Time { return p.now().Add(-clockSkew) },
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		return nil, nil, signatureError(err)
	}
	return c, payload, nil
}

// signatureError tells keys that can't be had from a token that is bad. go-oidc's own words may
// quote the token, and are not passed on.
func signatureError(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrMisconfigured) {
		return err
	}
	return invalid("signature", "it does not verify")
}

// checkClaims are the rules of OIDC Core §2 and §3.1.3.7 that need nothing but the token.
func (p *Provider) checkClaims(c *idClaims) error {
	now := p.now()
	switch {
	case c.Issuer != p.config.Issuer: // go-oidc lets one issuer pass without its scheme
		return invalid("iss", "it is not this provider's")
	case c.Subject == nil || *c.Subject == "" || len(*c.Subject) > maxSub:
		return invalid("sub", "it is missing, empty or too long")
	case !slices.Contains(c.Audience, p.config.ClientID):
		return invalid("aud", "it is not for this client")
	case p.untrustedAudience(c.Audience):
		return invalid("aud", "it is for others, too, who are not in trusted_audiences")
	case c.Azp != nil && *c.Azp != p.config.ClientID:
		return invalid("azp", "it was issued to another client")
	case c.Expiry == nil || !now.Before(c.Expiry.time().Add(clockSkew)):
		return invalid("exp", "it is missing or over")
	case c.IssuedAt == nil || c.IssuedAt.time().After(now.Add(clockSkew)) || c.IssuedAt.time().Before(now.Add(-maxIssued)):
		return invalid("iat", "it is missing, in the future or long ago; compare the clocks")
	case c.NotBefore != nil && c.NotBefore.time().After(now.Add(clockSkew)):
		return invalid("nbf", "it is in the future")
	case c.Events != nil:
		return invalid("events", "this is a security event, not an ID token")
	}
	return nil
}

func (p *Provider) untrustedAudience(aud []string) bool {
	return slices.ContainsFunc(aud, func(a string) bool {
		return a != p.config.ClientID && !slices.Contains(p.config.TrustedAudiences, a)
	})
}

// checkAuthentication holds the token to what was asked of the authentication itself (steps 12, 13).
func (p *Provider) checkAuthentication(c *idClaims, want Expectation) error {
	if want.MaxAge != nil || want.PromptLogin {
		if c.AuthTime == nil {
			return invalid("auth_time", "it is missing, though max_age or prompt=login asked for it")
		}
		at := c.AuthTime.time()
		if at.After(p.now().Add(clockSkew)) {
			return invalid("auth_time", "it is in the future")
		}
		if want.MaxAge != nil && p.now().Sub(at) > *want.MaxAge+p.now().Sub(want.AttemptStarted)+clockSkew {
			return invalid("auth_time", "it is longer ago than max_age allows")
		}
		anew := want.PromptLogin || *want.MaxAge == 0
		if anew && at.Before(want.AttemptStarted.Add(-clockSkew)) {
			return invalid("auth_time", "it is from before this login, though a new authentication was asked for")
		}
	}
	if len(want.EssentialACR) > 0 && !slices.Contains(want.EssentialACR, c.ACR) {
		return invalid("acr", "it is none of those that were asked for")
	}
	return nil
}

// checkAtHash compares at_hash, where it is there, with the access token beside it (§3.1.3.6).
func checkAtHash(c *idClaims, alg string, accessToken secret.Value) error {
	if c.AtHash == nil || accessToken.IsZero() {
		return nil
	}
	h := crypto.SHA256
	switch {
	case strings.HasSuffix(alg, "384"):
		h = crypto.SHA384
	case strings.HasSuffix(alg, "512"), alg == "EdDSA": // Ed25519 hashes with SHA-512
		h = crypto.SHA512
	}
	sum := h.New()
	sum.Write([]byte(accessToken.Reveal()))
	half := sum.Sum(nil)[:sum.Size()/2]
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(half)), []byte(*c.AtHash)) != 1 {
		return invalid("at_hash", "it does not fit the access token")
	}
	return nil
}

func (c *idClaims) token(payload json.RawMessage) *IDToken {
	t := &IDToken{
		Issuer: c.Issuer, Subject: *c.Subject, SID: c.SID, ACR: c.ACR, SessionState: c.SessionState, Audience: c.Audience,
		IssuedAt: c.IssuedAt.time(), Expiry: c.Expiry.time(), Claims: payload,
	}
	if c.Azp != nil {
		t.AuthorizedParty = *c.Azp
	}
	if c.Nonce != nil {
		t.Nonce = *c.Nonce
	}
	if c.AuthTime != nil {
		t.AuthTime = c.AuthTime.time()
	}
	return t
}

func invalid(rule, detail string) error { return &InvalidTokenError{Rule: rule, Detail: detail} }
