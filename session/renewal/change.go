package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// errOvertaken: the record has another refresh token than the one that was sent.
var errOvertaken = errors.New("another process renewed this session meanwhile")

// change is what a token response does to a record. Claims and times of the login stay as they were
// (RN8): who someone is, and how they logged in, is not changed by a renewal. A new `sid` is taken over, so
// that a later back-channel logout finds the session.
func (r *Renewer) change(sent secret.Value, t *provider.TokenResponse, sid string) func(*session.Record) error {
	return func(rec *session.Record) error {
		if !rec.RefreshToken.Equal(sent.Reveal()) {
			return errOvertaken
		}
		rec.AccessToken, rec.TokenType = t.AccessToken, t.TokenType
		rec.AccessTokenObtained, rec.AccessTokenExpires = t.Received, t.Received.Add(t.ExpiresIn)
		if !t.RefreshToken.IsZero() { // absent or empty: the old one stays good (RFC 6749 §6)
			rec.RefreshToken = t.RefreshToken
		}
		if !t.IDToken.IsZero() {
			rec.IDToken = t.IDToken
		}
		if t.Scope != "" {
			rec.Scope = t.Scope
		}
		if sid != "" {
			rec.SID = sid
		}
		rec.Renewals++
		return nil
	}
}

// nonceOf is the nonce of the login's ID token; a renewed one may repeat it (OIDC Core §12.2).
func nonceOf(rec *session.Record) string {
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(rec.Claims, &claims) != nil {
		return ""
	}
	return claims.Nonce
}

// giveBack has tokens revoked that no session will hold: through the outbox, which a restart
// survives, or, when the store can't take them, at once and as well as it goes.
func (r *Renewer) giveBack(ctx context.Context, rec *session.Record, t *provider.TokenResponse) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	unheld := &session.Record{
		ID: rec.ID, Provider: rec.Provider, Scope: rec.Scope,
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, AccessTokenExpires: t.Received.Add(t.ExpiresIn),
	}
	if r.Sessions.Enqueue(ctx, unheld, session.ReasonRefused) == nil {
		return
	}
	p, ok := r.Providers[rec.Provider]
	if !ok || t.RefreshToken.IsZero() {
		return
	}
	if err := p.Revoke(ctx, t.RefreshToken, "refresh_token"); err != nil {
		r.Logger.ErrorContext(ctx, "a refresh token that no session holds could neither be kept for revocation nor revoked",
			"session", rec.ID, "provider", rec.Provider, "error", err)
	}
}
