package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
)

// deliveryTimeout bounds the requests of one delivery; the lease outlasts it.
const deliveryTimeout = 30 * time.Second

// successorPoll is how soon it is seen that a successor has ended.
const successorPoll = 15 * time.Second

// deliver revokes what is in one item.
func (w *Worker) deliver(ctx context.Context, item session.Revocation) {
	rec, err := w.Sessions.OpenRevocation(item)
	if err != nil {
		w.later(ctx, item, nil, err)
		return
	}
	p, ok := w.Providers[item.Provider]
	if !ok {
		w.later(ctx, item, rec, fmt.Errorf("provider %q is not configured any more: configure it again to have them revoked", item.Provider))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	if w.succeeded(ctx, item, rec) {
		w.settle(ctx, item, waiting, successorPoll, nil)
		return
	}
	if err := w.revokeAll(ctx, p, rec, item.Reason); err != nil {
		w.undelivered(ctx, item, rec, err)
		return
	}
	w.settle(ctx, item, delivered, 0, nil)
}

// succeeded reports whether a newer login in the same provider session took the ended one's place.
// Keycloak and oidc-provider hold one grant for both, and revoking the old refresh token would kill
// the new one: it waits until the newer session has ended, too. Without a `sid` nothing is known of
// that, and the token is revoked at once.
func (w *Worker) succeeded(ctx context.Context, item session.Revocation, rec *session.Record) bool {
	if item.Reason != session.ReasonReplaced || rec.SID == "" {
		return false
	}
	living, err := w.Sessions.Find(ctx, session.SIDKey(rec.Provider, rec.SID))
	return err != nil || len(living) > 0
}

// revokeAll revokes the refresh token first: it kills the grant, and at many providers the access
// token with it (RFC 7009 §2.1). An access token that has run out needs nothing.
func (w *Worker) revokeAll(ctx context.Context, p *provider.Provider, rec *session.Record, reason session.Reason) error {
	if !rec.RefreshToken.IsZero() && !w.staysOffline(rec, reason) {
		if err := p.Revoke(ctx, rec.RefreshToken, "refresh_token"); err != nil {
			return err
		}
	}
	if rec.AccessToken.IsZero() || !w.Now().Before(rec.AccessTokenExpires) {
		return nil
	}
	return ignoreAccessToken(p.Revoke(ctx, rec.AccessToken, "access_token"))
}

// ignoreAccessToken: many providers do not revoke access tokens (unsupported_token_type, RFC 7009
// §2.2.1). It runs out by itself, and the grant behind it is dead.
func ignoreAccessToken(err error) error {
	if errors.Is(err, provider.ErrNotRevocable) {
		return nil
	}
	return err
}

// staysOffline reports whether a refresh token is left alive because the operator wants back-channel
// logouts to leave offline access (OIDC Back-Channel Logout §2.7).
func (w *Worker) staysOffline(rec *session.Record, reason session.Reason) bool {
	return reason == session.ReasonProviderLogout && !w.RevokeOnBackchannel &&
		slices.Contains(strings.Fields(rec.Scope), "offline_access")
}

// undelivered sorts what went wrong: what will never work is given up, the rest is tried again.
func (w *Worker) undelivered(ctx context.Context, item session.Revocation, rec *session.Record, err error) {
	switch {
	case errors.Is(err, provider.ErrNoRevocationEndpoint):
		w.settle(ctx, item, notSupported, 0, nil)
	case errors.Is(err, provider.ErrNotRevocable):
		w.settle(ctx, item, givenUp, 0, err)
	default:
		w.later(ctx, item, rec, err)
	}
}

// later puts an item off, until the tokens in it would have died anyway. rec is nil when the item
// does not open.
func (w *Worker) later(ctx context.Context, item session.Revocation, rec *session.Record, err error) {
	if w.Now().Sub(item.EndedAt) > lastResort || rec != nil && onlyAccessToken(rec) && w.Now().After(rec.AccessTokenExpires) {
		w.settle(ctx, item, diedMeanwhile, 0, err)
		return
	}
	wait := backoff(item.Attempts)
	if again := new(provider.RetryableError); errors.As(err, &again) && again.RetryAfter > wait {
		wait = again.RetryAfter
	}
	w.settle(ctx, item, retry, wait, err)
}

func onlyAccessToken(rec *session.Record) bool {
	return rec.RefreshToken.IsZero()
}
