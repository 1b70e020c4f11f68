package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	maxLastError = 200 // bytes
	// deliveryTime is what a delivery may take: two requests of ten seconds each, and the outcome's way to the store.
	deliveryTime = 20*time.Second + storeTimeout
)

// take has an item that is leased until then delivered in its provider's bulkhead. An item that finds the bulkhead full, or
// whose turn comes so late that another worker could begin before this one ends, is put down again: it becomes due
// when its lease is over.
func (w *Worker) take(ctx context.Context, item storage.Revocation, until time.Time) {
	if item.Attempts > 0 && w.o.Now().Sub(item.EndedAt) > w.o.MaxAge {
		w.log.Error("revocation given up: too old", "item", item.ID, "provider", item.Provider, "attempts", item.Attempts, "last_error", item.LastError)
		w.finish(ctx, item, outcomeDropped)
		return
	}
	b := w.bulkheads[item.Provider]
	if b == nil {
		w.putOff(ctx, item, outcomeUnknownProvider, resilience.RevocationHopeless.Pauses().First(),
			errors.New("provider is not configured any more"))
		return
	}
	if !b.held.TryAcquire(1) {
		return
	}
	w.deliveries.Go(func() {
		defer b.held.Release(1)
		if b.underWay.Acquire(ctx, 1) != nil {
			return
		}
		defer b.underWay.Release(1)
		if left := until.Sub(w.o.Now()); left >= min(deliveryTime, w.o.Lease/2) {
			w.deliver(ctx, item, left-min(storeTimeout, left/4))
		}
	})
}

// deliver revokes what an item holds, within a time, and takes it out of the outbox, or puts it off.
func (w *Worker) deliver(ctx context.Context, item storage.Revocation, within time.Duration) {
	rec, err := w.o.Sessions.OpenRevocation(item)
	if err != nil {
		w.putOff(ctx, item, outcomeUnreadable, resilience.RevocationHopeless.Pauses().First(),
			errors.New("sealed tokens do not open with the configured keys"))
		return
	}
	if w.heldBySuccessor(ctx, item, rec) {
		w.putOff(ctx, item, outcomeWaiting, resilience.RevocationWaiting.Pauses().First(),
			errors.New("a newer session holds the same grant; it waits for that one's end"))
		return
	}
	if !w.mayRevoke(item, rec) {
		w.finish(ctx, item, outcomeKept)
		return
	}
	inTime, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	switch err := w.revoke(inTime, w.o.Providers[item.Provider], rec); {
	case err == nil:
		w.finish(ctx, item, outcomeDelivered)
	case errors.Is(err, provider.ErrNoRevocationEndpoint):
		w.finish(ctx, item, outcomeUnsupported)
	case errors.Is(err, provider.ErrNotRevocable):
		w.log.Warn("provider does not revoke a token", "session", rec.ID, "provider", item.Provider, "error", err)
		w.finish(ctx, item, outcomeNotRevocable)
	default:
		w.putOff(ctx, item, outcomeRetried, retryIn(item.Attempts, err), err)
	}
}

// heldBySuccessor reports whether another login in the same provider session lives on: one that replaced the ended
// session, or for which the user had one too many, or an older one beside a login that was refused. Keycloak and
// oidc-provider hold one grant for both, and revoking the ended one's refresh token would kill the other's. So it waits
// until the other session has ended, too. Without a `sid` nothing is known of that, and the tokens are revoked at once.
func (w *Worker) heldBySuccessor(ctx context.Context, item storage.Revocation, rec *session.Record) bool {
	made := []session.Reason{session.ReasonReplaced, session.ReasonContinued, session.ReasonSurplus, session.ReasonRefused}
	if !slices.Contains(made, session.Reason(item.Reason)) || rec.SID == "" {
		return false
	}
	living, err := w.o.Sessions.OfSID(ctx, rec.Provider, rec.Issuer, rec.SID)
	return err != nil || len(living) > 0
}

// mayRevoke is RevokeOnBackchannel's meaning: a grant with offline_access is meant to outlive the
// login, so that a logout at the provider should not end it (OIDC Back-Channel Logout §2.7). Its access
// token is left alone as well, because revoking that may end the grant too (RFC 7009 §2.1).
func (w *Worker) mayRevoke(item storage.Revocation, rec *session.Record) bool {
	return w.o.RevokeOnBackchannel || item.Reason != string(session.ReasonProviderLogout) ||
		!slices.Contains(strings.Fields(rec.Scope), "offline_access")
}

// revoke revokes the refresh token first, since that ends the grant (RFC 7009 §2.1), then the access
// token unless it ran out. A token that the provider will never revoke does not keep the other from
// being tried; a provider without the endpoint is not asked twice.
func (w *Worker) revoke(ctx context.Context, p *provider.Provider, rec *session.Record) error {
	var refused error
	for _, t := range []struct {
		token secret.Value
		hint  string
		live  bool
	}{
		{rec.RefreshToken, "refresh_token", true},
		{rec.AccessToken, "access_token", w.o.Now().Before(rec.AccessTokenExpires)},
	} {
		if t.token.IsZero() || !t.live {
			continue
		}
		err := p.Revoke(ctx, t.token, t.hint)
		switch {
		case err == nil:
		case errors.Is(err, provider.ErrNotRevocable) && !errors.Is(err, provider.ErrNoRevocationEndpoint):
			refused = fmt.Errorf("revoke %s: %w", t.hint, err)
		default:
			return fmt.Errorf("revoke %s: %w", t.hint, err)
		}
	}
	return refused
}

// finish takes an item out of the outbox. If that fails it comes again when its lease is over, which
// costs the provider one more request and nothing else.
func (w *Worker) finish(ctx context.Context, item storage.Revocation, outcome string) {
	w.metrics.revocations.WithLabelValues(item.Provider, outcome).Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := w.o.Outbox.Done(ctx, item.ID); err != nil {
		w.log.Warn("delivered revocation can't be taken out of the outbox yet", "item", item.ID, "error", err)
	}
}

// putOff notes a failed try. A try that was cut by the shutdown is none.
func (w *Worker) putOff(ctx context.Context, item storage.Revocation, outcome string, wait time.Duration, cause error) {
	if ctx.Err() != nil {
		return
	}
	w.metrics.revocations.WithLabelValues(item.Provider, outcome).Inc()
	level := slog.LevelWarn
	if outcome == outcomeRetried || outcome == outcomeWaiting { // a provider's outage puts off thousands; the metrics and LastError tell
		level = slog.LevelDebug
	}
	w.log.Log(ctx, level, "revocation put off", "item", item.ID, "provider", item.Provider, "outcome", outcome,
		"attempts", item.Attempts+1, "next_try_in", wait.String(), "error", cause)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := w.o.Outbox.Retry(ctx, item.ID, w.o.Now().Add(wait), bounded(cause.Error())); err != nil {
		w.log.Warn("revocation can't be put off; it is due again after its lease", "item", item.ID, "error", err)
	}
}

// retryIn grows with the attempts, with jitter, and is never shorter than Retry-After.
func retryIn(attempts int, err error) time.Duration {
	asked := time.Duration(0)
	if retryable, ok := errors.AsType[*provider.RetryableError](err); ok {
		asked = retryable.RetryAfter
	}
	return resilience.Revocation.Pauses().AfterAsked(attempts+1, asked)
}

func bounded(s string) string {
	if len(s) > maxLastError {
		s = strings.ToValidUTF8(s[:maxLastError], "")
	}
	return s
}
