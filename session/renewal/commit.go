package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session"
)

var errTheirs = errors.New("another process renewed the session")

// commit saves renewed tokens and settles the flight with them. If the store can't be written they
// are used from memory meanwhile, and tried until the session would be over anyway. If the session
// ended meanwhile it stays ended: the new tokens are revoked. So they are, too, whatever the reason
// it ended for: a grant that was renewed after its session's end is nobody's.
func (w *work) commit(ctx context.Context, change func(*session.Record)) {
	saved, err := w.save(ctx, change)
	switch {
	case err == nil:
		w.done(outcomeOK)
		w.pauses.over(w.from.Name)
		w.refusals.renewed(w.from, time.Now())
		w.flight.settle(saved, nil)
	case errors.Is(err, errTheirs):
		// Ours are dropped, not revoked: they may be of the grant that the winner now lives on, and
		// revoking one refresh token ends the whole grant (RFC 7009 §2.1).
		w.readTheirs(ctx)
	case isOver(err):
		w.done(outcomeLostToLogout)
		w.lost(ctx)
		w.disown(ctx, w.changed(change), err)
	default:
		w.done(outcomeUnsaved)
		w.disown(ctx, w.changed(change), err)
	}
}

// disown sees to tokens that could not be saved, for whatever reason err is: there is no session to hold them.
func (w *work) disown(ctx context.Context, orphan *session.Record, err error) {
	switch {
	case isOver(err):
		w.revoke(ctx, orphan, session.ReasonLogout)
	case ctx.Err() != nil: // shut down before the store came back
		w.log.Error("renewed tokens could not be saved before the shutdown", "session", orphan.ID, "error", err)
	default:
		w.log.Error("renewed tokens could not be saved in the session's lifetime", "session", orphan.ID, "error", err)
		w.revoke(ctx, orphan, session.ReasonExpired)
	}
}

func (w *work) readTheirs(ctx context.Context) {
	newest, err := w.newest(ctx, w.from.Name)
	if err != nil {
		w.done(outcomeSuperseded)
		w.flight.settle(nil, err)
		return
	}
	w.superseded(newest)
}

// changed is the record as it would have been saved.
func (w *work) changed(change func(*session.Record)) *session.Record {
	rec := *w.from.Record
	change(&rec)
	return &rec
}

// save writes change by compare-and-set for as long as the session can live. At the first failure it
// settles the flight with the changed record, unless it has been settled before.
func (w *work) save(ctx context.Context, change func(*session.Record)) (*session.Session, error) {
	unsaved := false
	defer func() {
		if unsaved {
			w.metrics.unsaved.Dec()
		}
	}()
	life := w.from.Record.ExpiresAt.Sub(w.now())
	return retryFor(ctx, resilience.CommitRenewal, max(life, resilience.CommitRenewal.Within()), func(ctx context.Context) (*session.Session, error) {
		return w.sessions.Commit(ctx, w.from, w.onlyOnce(change))
	}, func(err error, next time.Duration) {
		if unsaved {
			return
		}
		unsaved = true
		w.metrics.unsaved.Inc()
		w.log.Warn("renewed tokens can't be saved yet; they are used from memory", "session", w.from.Record.ID, "error", err, "next_try_in", next.String())
		w.flight.settle(&session.Session{
			Name: w.from.Name, Version: w.from.Version, Record: w.changed(change), IdleExpires: w.from.IdleExpires, LastActive: w.from.LastActive,
		}, nil)
	})
}

// onlyOnce applies change only to a record that nobody renewed since the refresh token was sent. Our own tokens may be
// there already: the answer to an earlier write was lost. They are written once more, since a fail-over of the store can
// undo a write that it has not confirmed.
func (w *work) onlyOnce(change func(*session.Record)) func(*session.Record) error {
	ours := w.changed(change)
	return func(rec *session.Record) error {
		if rec.Renewals == w.from.Record.Renewals && rec.RefreshToken == w.from.Record.RefreshToken {
			change(rec)
			return nil
		}
		if rec.AccessToken == ours.AccessToken && rec.RefreshToken == ours.RefreshToken {
			return nil
		}
		return errTheirs
	}
}

// revoke puts tokens that no record holds into the outbox. If that can't be written, the provider is
// asked at once, as a last resort.
func (w *work) revoke(ctx context.Context, orphan *session.Record, reason session.Reason) {
	_, err := retry(ctx, resilience.QueueOrphans, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.sessions.Enqueue(ctx, orphan, reason)
	}, func(error, time.Duration) {})
	if err == nil {
		return
	}
	w.log.Error("tokens of an ended session could not be put into the outbox; revoking them without it", "session", orphan.ID, "error", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err = errors.Join(w.provider.Revoke(ctx, orphan.RefreshToken, "refresh_token"), w.provider.Revoke(ctx, orphan.AccessToken, "access_token"))
	if err != nil {
		w.log.Error("tokens of an ended session could not be revoked", "session", orphan.ID, "error", err)
	}
}

// end ends the session and settles the flight with cause, at the latest when the store does not let
// it. If that is given up, the session's next renewal is refused again and tries anew.
func (w *work) end(ctx context.Context, cause error) {
	_, err := retry(ctx, resilience.EndRefused, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.sessions.End(ctx, w.from.Name, session.ReasonRefused)
	}, func(error, time.Duration) { w.flight.settle(nil, cause) })
	w.ended(err, cause)
}

// ended settles the flight after the session was ended, or could not be.
func (w *work) ended(err, cause error) {
	if err != nil {
		w.log.Error("refused session could not be ended yet", "session", w.from.Record.ID, "error", err)
	}
	w.flight.settle(nil, cause)
}

// retry does a store operation until it succeeds, says something final, or the policy gives it up. Notify
// hears of each failure that is followed by another try.
func retry[T any](
	ctx context.Context, policy resilience.Retry,
	operation func(context.Context) (T, error), notify backoff.Notify,
) (T, error) {
	return retryFor(ctx, policy, policy.Within(), operation, notify)
}

// retryFor is retry that is given up when atMost has passed.
func retryFor[T any](
	ctx context.Context, policy resilience.Retry, atMost time.Duration,
	operation func(context.Context) (T, error), notify backoff.Notify,
) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		once, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		v, err := operation(once)
		if isOver(err) || errors.Is(err, errTheirs) || errors.Is(err, errNothingNew) {
			err = backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(policy.Pauses().BackOff()), backoff.WithMaxElapsedTime(atMost), backoff.WithNotify(notify))
}
