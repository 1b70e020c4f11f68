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
	// deliveryTime is how long a delivery may take: two requests of ten seconds each, and a write
	// to the store.
	deliveryTime = 20*time.Second + storeTimeout
)

// take starts the delivery of an item that is leased until then, in its provider's bulkhead. It
// drops the item if the bulkhead is full, or if its turn comes so late that another worker could
// begin before this one ends. The item is due again when its lease is over.
func (w *Worker) take(ctx context.Context, item storage.Revocation, until time.Time) {
	if item.Attempts > 0 && w.o.Now().Sub(item.EndedAt) > w.o.MaxAge {
		w.log.Error("revocation given up: too old", "item", item.ID, "provider", item.Provider,
			"attempts", item.Attempts, "last_error", item.LastError)
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
		if b.running.Acquire(ctx, 1) != nil {
			return
		}
		defer b.running.Release(1)
		if left := until.Sub(w.o.Now()); left >= min(deliveryTime, w.o.Lease/2) {
			w.deliver(ctx, item, left-min(storeTimeout, left/4))
		}
	})
}

// deliver revokes the tokens of an item within a time. It then removes the item from the outbox, or
// postpones it.
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
		w.log.Warn("provider does not revoke a token",
			"session", rec.ID, "provider", item.Provider, "error", err)
		w.finish(ctx, item, outcomeNotRevocable)
	default:
		w.putOff(ctx, item, outcomeRetried, retryIn(item.Attempts, err), err)
	}
}

// heldBySuccessor reports whether another session of the same provider session is still alive: the
// one that replaced the ended session or caused its end as surplus, or an older one if the login
// was refused. Keycloak and oidc-provider have one grant for both sessions, so revoking the refresh
// token of the ended one would break the other. The revocation therefore waits until the other
// session has ended, too. Without a `sid` other sessions can't be found, and the tokens are revoked
// at once.
func (w *Worker) heldBySuccessor(
	ctx context.Context, item storage.Revocation, rec *session.Record,
) bool {
	reasons := []session.Reason{
		session.ReasonReplaced, session.ReasonContinued,
		session.ReasonSurplus, session.ReasonRefused,
	}
	if !slices.Contains(reasons, session.Reason(item.Reason)) || rec.SID == "" {
		return false
	}
	living, err := w.o.Sessions.OfSID(ctx, rec.Provider, rec.Issuer, rec.SID)
	return err != nil || len(living) > 0
}

// mayRevoke implements RevokeOnBackchannel. A grant with offline_access is meant to outlive the
// login, so a logout at the provider should not end it (OIDC Back-Channel Logout §2.7). Then its
// access token is not revoked, either, because that may end the grant, too (RFC 7009 §2.1).
func (w *Worker) mayRevoke(item storage.Revocation, rec *session.Record) bool {
	return w.o.RevokeOnBackchannel || item.Reason != string(session.ReasonProviderLogout) ||
		!slices.Contains(strings.Fields(rec.Scope), "offline_access")
}

// revoke revokes the refresh token first, because that ends the grant (RFC 7009 §2.1), and then the
// access token unless it has expired. If the provider will never revoke one of them, revoke still
// tries the other, but a provider without the endpoint is asked only once.
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
		case errors.Is(err, provider.ErrNotRevocable) &&
			!errors.Is(err, provider.ErrNoRevocationEndpoint):
			refused = fmt.Errorf("revoke %s: %w", t.hint, err)
		default:
			return fmt.Errorf("revoke %s: %w", t.hint, err)
		}
	}
	return refused
}

// finish removes an item from the outbox. If that fails, the item is due again when its lease is
// over, and the provider gets one more request.
func (w *Worker) finish(ctx context.Context, item storage.Revocation, outcome string) {
	w.metrics.revocations.WithLabelValues(item.Provider, outcome).Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := w.o.Outbox.Done(ctx, item.ID); err != nil {
		w.log.Warn("delivered revocation can't be taken out of the outbox yet",
			"item", item.ID, "error", err)
	}
}

// putOff postpones an item and records the attempt. An attempt that the shutdown interrupted does
// not count.
func (w *Worker) putOff(
	ctx context.Context, item storage.Revocation, outcome string, wait time.Duration, cause error,
) {
	if ctx.Err() != nil {
		return
	}
	w.metrics.revocations.WithLabelValues(item.Provider, outcome).Inc()
	level := slog.LevelWarn
	// A provider's outage postpones thousands of items. The metrics and LastError show it.
	if outcome == outcomeRetried || outcome == outcomeWaiting {
		level = slog.LevelDebug
	}
	w.log.Log(ctx, level, "revocation put off",
		"item", item.ID, "provider", item.Provider, "outcome", outcome,
		"attempts", item.Attempts+1, "next_try_in", wait.String(), "error", cause)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := w.o.Outbox.Retry(ctx, item.ID, w.o.Now().Add(wait), bounded(cause.Error()))
	if err != nil {
		w.log.Warn("revocation can't be put off; it is due again after its lease",
			"item", item.ID, "error", err)
	}
}

// retryIn returns the pause before the next attempt. It grows with the attempts, with jitter, and
// is never shorter than Retry-After.
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
