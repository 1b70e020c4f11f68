package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// answered checks the token response and commits it. It uses no part of the response before the
// check.
func (a *attempt) answered(ctx context.Context, response *provider.TokenResponse) {
	var idToken *jose.IDToken
	if !response.IDToken.IsZero() {
		var err error
		original := originalOf(a.from.Record, response.AccessToken)
		idToken, err = a.provider.Verifier().RenewedIDToken(ctx, response.IDToken, original)
		if _, isInvalid := errors.AsType[*jose.InvalidTokenError](err); isInvalid {
			a.broken(ctx, response, err)
			return
		}
		if err != nil {
			a.unverifiable(ctx, response, err)
			return
		}
	}
	a.commit(ctx, func(rec *session.Record) { apply(rec, response, idToken) })
}

// broken discards an answer that OIDC Core §12.2 or RFC 6749 §5.1 forbids to use. The issued tokens
// are revoked, and the session ends because its own refresh token may be spent.
func (a *attempt) broken(ctx context.Context, response *provider.TokenResponse, err error) {
	a.log.Error("provider's answer to a renewal breaks the rules; the session ends",
		"session", a.from.Record.ID, "provider", a.provider.ID(), "error", err)
	a.done(outcomeInvalidResponse)
	orphan := *a.from.Record
	apply(&orphan, response, nil)
	a.revoke(ctx, &orphan, session.ReasonRefused)
	a.end(ctx, fmt.Errorf("%w: %w", ErrRefused, err))
}

// unverifiable handles an ID token that can't be verified now because the keys can't be fetched.
// The access token is not used, but the refresh token must be kept, since the old one may be spent;
// the answer to it will be verified. If the session has ended in the meantime, all tokens are
// revoked.
func (a *attempt) unverifiable(ctx context.Context, response *provider.TokenResponse, err error) {
	a.failed(outcomeTransient, err)
	if response.RefreshToken.IsZero() || response.RefreshToken == a.from.Record.RefreshToken {
		if _, err = a.newest(ctx, a.from.Name); !isOver(err) {
			return // an access token that nobody uses need not be kept
		}
	} else {
		_, err = a.save(ctx, func(rec *session.Record) {
			rec.RefreshToken = response.RefreshToken
			rec.Renewals++
			rec.LoginNeeded = time.Time{} // the provider has renewed it
		})
	}
	if err != nil && !errors.Is(err, errSuperseded) {
		orphan := a.changed(func(rec *session.Record) { apply(rec, response, nil) })
		a.disown(ctx, orphan, err)
	}
}

// apply writes a verified answer into rec. idToken may be nil.
func apply(rec *session.Record, response *provider.TokenResponse, idToken *jose.IDToken) {
	accessToken, refreshToken := rec.AccessToken, rec.RefreshToken // they may still be valid
	defer func() { rec.DropTokens(accessToken, refreshToken) }()
	rec.AccessToken = response.AccessToken
	rec.TokenType = response.TokenType
	rec.AccessTokenObtained = response.Issued
	rec.AccessTokenExpires = response.Issued.Add(max(response.ExpiresIn, minLife))
	rec.Renewals++
	rec.LoginNeeded = time.Time{}
	if !response.RefreshToken.IsZero() { // otherwise the old one stays valid (RFC 6749 §6)
		rec.RefreshToken = response.RefreshToken
	}
	applyScope(rec, response.Scope)
	if idToken == nil {
		return
	}
	rec.IDToken = response.IDToken
	if idToken.SID != "" { // the commit updates the session's index keys
		rec.SID = idToken.SID
	}
	if idToken.SessionState != "" {
		rec.State = idToken.SessionState
	}
	if !idToken.SessionExpiry.IsZero() && idToken.SessionExpiry.Before(rec.ExpiresAt) {
		rec.ExpiresAt = idToken.SessionExpiry
	}
	rec.Claims = renewedClaims(rec.Claims, idToken.Claims)
}

// loginClaims are the claims that describe how the user logged in. A renewal is not a login, so a
// renewed ID token must neither raise nor lower them (OIDC Core §12.2: auth_time "MUST represent
// the time of the original authentication").
var loginClaims = []string{"iss", "sub", "aud", "azp", "auth_time", "nonce", "acr", "amr"}

// renewedClaims replaces claims by those of a renewed ID token, such as roles, names and sid,
// except loginClaims. Claims that the renewed token lacks, such as those of userinfo, stay.
func renewedClaims(old, renewed json.RawMessage) json.RawMessage {
	var claims, newer map[string]json.RawMessage
	if json.Unmarshal(old, &claims) != nil || json.Unmarshal(renewed, &newer) != nil || claims == nil {
		return old
	}
	for _, name := range loginClaims {
		delete(newer, name)
	}
	maps.Copy(claims, newer)
	merged, err := json.Marshal(claims)
	if err != nil {
		return old
	}
	return merged
}

// originalOf returns what the ID token of the login said. Renewals keep those of its claims that
// are in loginClaims; missing ones are read from the ID token that the session began with, which
// was verified then. accessToken is the one that came with the renewed ID token, for at_hash.
func originalOf(rec *session.Record, accessToken secret.Value) *jose.Original {
	o := &jose.Original{
		Subject: rec.Subject, Issuer: rec.Issuer, AuthTime: rec.AuthTime, AccessToken: accessToken,
	}
	kept, _ := jose.ParseObject(rec.Claims) // claims that can't be parsed count as missing
	first, _ := jose.ClaimsOf(rec.IDToken)
	for _, claims := range []jose.Object{kept, first} {
		if o.Nonce == "" {
			o.Nonce, _ = claims.Text("nonce")
		}
		if len(o.Audience) == 0 {
			o.Audience, _ = claims.Audience()
		}
	}
	return o
}
