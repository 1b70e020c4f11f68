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

// orphanTime bounds what is done about the tokens of one refused login.
const orphanTime = 15 * time.Second

// orphans are tokens of logins that were refused after the provider had issued them. They are seen to behind the
// answer: the store that could not take the session may be the one that can't take them either, and a person waits.
type orphans struct {
	sessions *session.Manager
	logger   *slog.Logger
	cut      context.Context // ended when Close has waited long enough
	end      context.CancelFunc
	underWay sync.WaitGroup
}

func newOrphans(sessions *session.Manager, logger *slog.Logger) *orphans {
	o := &orphans{sessions: sessions, logger: logger}
	o.cut, o.end = context.WithCancel(context.Background())
	return o
}

// Close waits until the tokens of refused logins are in the outbox or revoked, and gives up when ctx ends. It comes
// after the last request, and before the store is closed.
func (l *Login) Close(ctx context.Context) {
	defer context.AfterFunc(ctx, l.orphans.end)()
	l.orphans.underWay.Wait()
}

// revoke hands tokens that will not be used to the outbox. When even that can't be asked, they are
// revoked at once, as well as it goes. A provider may hold one grant for them and for the session that the browser
// had, which goes on: they wait for its end then, and are left alone if nothing can be known of it.
func (o *orphans) revoke(p *provider.Provider, tokens *provider.TokenResponse, had session.Name) {
	if tokens == nil || tokens.AccessToken.IsZero() && tokens.RefreshToken.IsZero() {
		return
	}
	o.underWay.Go(func() { // the outbox's worker finds them when it looks next
		ctx, cancel := context.WithTimeout(o.cut, orphanTime)
		defer cancel()
		rec := &session.Record{
			Provider: p.ID(), Issuer: p.Issuer(), AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken,
			AccessTokenObtained: tokens.Issued, AccessTokenExpires: tokens.Issued.Add(tokens.ExpiresIn),
		}
		if s, err := o.sessions.Get(ctx, had); err == nil && s.Record.Provider == p.ID() {
			rec.Issuer, rec.SID = s.Record.Issuer, s.Record.SID
		}
		err := o.sessions.Enqueue(ctx, rec, session.ReasonRefused)
		if err == nil {
			return
		}
		if had != "" {
			o.logger.WarnContext(ctx, "queue tokens of a refused login for revocation", "provider", p.ID(), "error", err)
			return
		}
		token, hint := tokens.RefreshToken, "refresh_token" // with it goes the whole grant (RFC 7009 §2.1)
		if token.IsZero() {
			token, hint = tokens.AccessToken, "access_token"
		}
		if err := errors.Join(err, p.Revoke(ctx, token, hint)); err != nil {
			o.logger.WarnContext(ctx, "queue tokens of a refused login for revocation", "provider", p.ID(), "error", err)
		}
	})
}
