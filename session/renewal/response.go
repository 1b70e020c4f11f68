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

// answered checks the token response and has it committed. Nothing in it is used before the check.
func (w *work) answered(ctx context.Context, response *provider.TokenResponse) {
	var idToken *jose.IDToken
	if !response.IDToken.IsZero() {
		var err error
		idToken, err = w.provider.Verifier().RenewedIDToken(ctx, response.IDToken, originalOf(w.from.Record, response.AccessToken))
		if _, isInvalid := errors.AsType[*jose.InvalidTokenError](err); isInvalid {
			w.broken(ctx, response, err)
			return
		}
		if err != nil {
			w.unverifiable(ctx, response, err)
			return
		}
	}
	w.commit(ctx, func(rec *session.Record) { apply(rec, response, idToken) })
}

// broken leaves an answer unused that OIDC Core §12.2 or RFC 6749 §5.1 forbids to use: what was issued
// is revoked, and the session ends, because its own refresh token may be spent.
func (w *work) broken(ctx context.Context, response *provider.TokenResponse, err error) {
	w.log.Error("provider's answer to a renewal breaks the rules; the session ends",
		"session", w.from.Record.ID, "provider", w.provider.ID(), "error", err)
	w.done(outcomeInvalidResponse)
	orphan := *w.from.Record
	apply(&orphan, response, nil)
	w.revoke(ctx, &orphan, session.ReasonRefused)
	w.end(ctx, fmt.Errorf("%w: %w", ErrRefused, err))
}

// unverifiable is for an ID token that can't be judged now (the keys can't be fetched). Its access
// token goes unused, but the refresh token must be kept, since the old one may be spent. Whatever it
// brings next is checked again. If the session ended meanwhile, all of it is revoked.
func (w *work) unverifiable(ctx context.Context, response *provider.TokenResponse, err error) {
	w.failed(outcomeTransient, err)
	if response.RefreshToken.IsZero() || response.RefreshToken == w.from.Record.RefreshToken {
		if _, err = w.newest(ctx, w.from.Name); !isOver(err) {
			return // nothing is lost with an access token that is never used
		}
	} else {
		_, err = w.save(ctx, func(rec *session.Record) {
			rec.RefreshToken = response.RefreshToken
			rec.Renewals++
			rec.LoginNeeded = time.Time{} // the provider has renewed it
		})
	}
	if err != nil && !errors.Is(err, errTheirs) {
		w.disown(ctx, w.changed(func(rec *session.Record) { apply(rec, response, nil) }), err)
	}
}

// apply writes a checked answer into rec. The ID token may be nil.
func apply(rec *session.Record, response *provider.TokenResponse, idToken *jose.IDToken) {
	accessToken, refreshToken := rec.AccessToken, rec.RefreshToken // they may be good for a while yet
	defer func() { rec.DropTokens(accessToken, refreshToken) }()
	rec.AccessToken = response.AccessToken
	rec.TokenType = response.TokenType
	rec.AccessTokenObtained = response.Issued
	rec.AccessTokenExpires = response.Issued.Add(max(response.ExpiresIn, minLife))
	rec.Renewals++
	rec.LoginNeeded = time.Time{}
	if !response.RefreshToken.IsZero() { // absent or empty: the old one stays good (RFC 6749 §6)
		rec.RefreshToken = response.RefreshToken
	}
	applyScope(rec, response.Scope)
	if idToken == nil {
		return
	}
	rec.IDToken = response.IDToken
	if idToken.SID != "" { // the session's indices follow when it is committed
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

// ofTheLogin are the claims that describe how the user logged in. A renewal is no login, so they stay
// as they were then, whatever a renewed ID token says: it must not raise or lower them (OIDC Core §12.2:
// auth_time "MUST represent the time of the original authentication").
var ofTheLogin = []string{"iss", "sub", "aud", "azp", "auth_time", "nonce", "acr", "amr"}

// renewedClaims takes from a renewed ID token every claim that it bears (roles, names, sid), except
// ofTheLogin; claims that it does not bear (userinfo's among them) stay.
func renewedClaims(old, renewed json.RawMessage) json.RawMessage {
	var claims, newer map[string]json.RawMessage
	if json.Unmarshal(old, &claims) != nil || json.Unmarshal(renewed, &newer) != nil || claims == nil {
		return old
	}
	for _, name := range ofTheLogin {
		delete(newer, name)
	}
	maps.Copy(claims, newer)
	merged, err := json.Marshal(claims)
	if err != nil {
		return old
	}
	return merged
}

// originalOf is what the login's ID token said. Its claims are kept through renewals (ofTheLogin);
// what they lack is read from the ID token that the session began with, which was verified then.
// accessToken is what came with the renewed one, for at_hash.
func originalOf(rec *session.Record, accessToken secret.Value) *jose.Original {
	o := &jose.Original{Subject: rec.Subject, Issuer: rec.Issuer, AuthTime: rec.AuthTime, AccessToken: accessToken}
	kept, _ := jose.ParseObject(rec.Claims) // what can't be read is not there
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
