package login

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
)

// orphanTime bounds the work on the tokens of one refused login.
const orphanTime = 15 * time.Second

// orphans revokes the tokens of logins that were refused after the provider had issued them. It
// works in the background: if the store could not take the session, it may not take the tokens
// either, and the user waits for the answer.
type orphans struct {
	sessions *session.Manager
	logger   *slog.Logger
	ctx      context.Context // ends when Close gives up waiting
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newOrphans(sessions *session.Manager, logger *slog.Logger) *orphans {
	o := &orphans{sessions: sessions, logger: logger}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// Close waits until the tokens of refused logins are in the outbox or revoked, and gives up when
// ctx ends. Call it after the last request, and before the store is closed.
func (l *Login) Close(ctx context.Context) {
	defer context.AfterFunc(ctx, l.orphans.cancel)()
	l.orphans.running.Wait()
}

// revoke puts tokens that will not be used into the outbox. If the store can't be reached, it tries
// to revoke them at once. The provider may have one grant for them and for had, the browser's
// previous session, which continues: then their revocation waits for the end of that session, or is
// left out if the session can't be loaded.
func (o *orphans) revoke(p *provider.Provider, tokens *provider.TokenResponse, had session.Name) {
	if tokens == nil || tokens.AccessToken.IsZero() && tokens.RefreshToken.IsZero() {
		return
	}
	o.running.Go(func() { // the outbox's worker will find them
		ctx, cancel := context.WithTimeout(o.ctx, orphanTime)
		defer cancel()
		rec := &session.Record{
			Provider: p.ID(), Issuer: p.Issuer(),
			AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken,
			AccessTokenObtained: tokens.Issued,
			AccessTokenExpires:  tokens.Issued.Add(tokens.ExpiresIn),
		}
		if s, err := o.sessions.Get(ctx, had); err == nil && s.Record.Provider == p.ID() {
			rec.Issuer, rec.SID = s.Record.Issuer, s.Record.SID
		}
		err := o.sessions.Enqueue(ctx, rec, session.ReasonRefused)
		if err == nil {
			return
		}
		if had != "" {
			o.logger.WarnContext(ctx, "queue tokens of a refused login for revocation",
				"provider", p.ID(), "error", err)
			return
		}
		// Revoking the refresh token revokes the whole grant (RFC 7009 §2.1).
		token, hint := tokens.RefreshToken, "refresh_token"
		if token.IsZero() {
			token, hint = tokens.AccessToken, "access_token"
		}
		if err := errors.Join(err, p.Revoke(ctx, token, hint)); err != nil {
			o.logger.WarnContext(ctx, "queue tokens of a refused login for revocation",
				"provider", p.ID(), "error", err)
		}
	})
}
