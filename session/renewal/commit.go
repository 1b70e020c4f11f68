package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session"
)

var errSuperseded = errors.New("another process renewed the session")

// commit saves renewed tokens and settles the flight with them. If the store can't be written, the
// tokens are used from memory, and commit tries again until the session would have expired. If the
// session has ended in the meantime it stays ended and the new tokens are revoked, whatever the
// reason of the end: nobody else would revoke a grant that was renewed after the session's end.
func (a *attempt) commit(ctx context.Context, change func(*session.Record)) {
	saved, err := a.save(ctx, change)
	switch {
	case err == nil:
		a.done(outcomeOK)
		a.pauses.clear(a.from.Name)
		a.refusals.renewed(a.from, time.Now())
		a.flight.settle(saved, nil)
	case errors.Is(err, errSuperseded):
		// The new tokens are dropped, not revoked: they may belong to the grant that the other
		// process's tokens belong to, and revoking one refresh token ends the whole grant (RFC 7009
		// §2.1).
		a.useOthers(ctx)
	case isOver(err):
		a.done(outcomeLostToLogout)
		a.lost(ctx)
		a.disown(ctx, a.changed(change), err)
	default:
		a.done(outcomeUnsaved)
		a.disown(ctx, a.changed(change), err)
	}
}

// disown deals with tokens that could not be saved because of err. No session holds them.
func (a *attempt) disown(ctx context.Context, orphan *session.Record, err error) {
	switch {
	case isOver(err):
		a.revoke(ctx, orphan, session.ReasonLogout)
	case ctx.Err() != nil: // shut down while the store could not be written
		a.log.Error("renewed tokens could not be saved before the shutdown",
			"session", orphan.ID, "error", err)
	default:
		a.log.Error("renewed tokens could not be saved in the session's lifetime",
			"session", orphan.ID, "error", err)
		a.revoke(ctx, orphan, session.ReasonExpired)
	}
}

// useOthers settles the flight with the tokens that another process has saved.
func (a *attempt) useOthers(ctx context.Context) {
	newest, err := a.newest(ctx, a.from.Name)
	if err != nil {
		a.done(outcomeSuperseded)
		a.flight.settle(nil, err)
		return
	}
	a.superseded(newest)
}

// changed returns the record as it would have been saved.
func (a *attempt) changed(change func(*session.Record)) *session.Record {
	rec := *a.from.Record
	change(&rec)
	return &rec
}

// save writes change by compare-and-set for as long as the session can live. After the first
// failure it settles the flight with the changed record, unless the flight is already settled.
func (a *attempt) save(
	ctx context.Context, change func(*session.Record),
) (*session.Session, error) {
	unsaved := false
	defer func() {
		if unsaved {
			a.metrics.unsaved.Dec()
		}
	}()
	life := max(a.from.Record.ExpiresAt.Sub(a.now()), resilience.CommitRenewal.Within())
	write := func(ctx context.Context) (*session.Session, error) {
		return a.sessions.Commit(ctx, a.from, a.onlyOnce(change))
	}
	failed := func(err error, next time.Duration) {
		if unsaved {
			return
		}
		unsaved = true
		a.metrics.unsaved.Inc()
		a.log.Warn("renewed tokens can't be saved yet; they are used from memory",
			"session", a.from.Record.ID, "error", err, "next_try_in", next.String())
		a.flight.settle(&session.Session{
			Name: a.from.Name, Version: a.from.Version, Record: a.changed(change),
			IdleExpires: a.from.IdleExpires, LastActive: a.from.LastActive,
		}, nil)
	}
	return retryFor(ctx, resilience.CommitRenewal, life, write, failed)
}

// onlyOnce applies change only to a record that nobody has renewed since the refresh token was
// sent. The record may already hold the new tokens, if the answer to an earlier write was lost. It
// is then written once more, because a fail-over of the store can undo a write that the store has
// not confirmed.
func (a *attempt) onlyOnce(change func(*session.Record)) func(*session.Record) error {
	ours := a.changed(change)
	return func(rec *session.Record) error {
		if rec.Renewals == a.from.Record.Renewals && rec.RefreshToken == a.from.Record.RefreshToken {
			change(rec)
			return nil
		}
		if rec.AccessToken == ours.AccessToken && rec.RefreshToken == ours.RefreshToken {
			return nil
		}
		return errSuperseded
	}
}

// revoke puts tokens that no record holds into the outbox. If that fails, it asks the provider at
// once, as a last resort.
func (a *attempt) revoke(ctx context.Context, orphan *session.Record, reason session.Reason) {
	_, err := retry(ctx, resilience.QueueOrphans, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.sessions.Enqueue(ctx, orphan, reason)
	}, func(error, time.Duration) {})
	if err == nil {
		return
	}
	a.log.Error("tokens of an ended session could not be put into the outbox; "+
		"revoking them without it", "session", orphan.ID, "error", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err = errors.Join(
		a.provider.Revoke(ctx, orphan.RefreshToken, "refresh_token"),
		a.provider.Revoke(ctx, orphan.AccessToken, "access_token"),
	)
	if err != nil {
		a.log.Error("tokens of an ended session could not be revoked",
			"session", orphan.ID, "error", err)
	}
}

// end ends the session and settles the flight with cause, as soon as a first attempt to end it has
// failed. If end gives up, the session's next renewal is refused and tries to end it again.
func (a *attempt) end(ctx context.Context, cause error) {
	_, err := retry(ctx, resilience.EndRefused, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.sessions.End(ctx, a.from.Name, session.ReasonRefused)
	}, func(error, time.Duration) { a.flight.settle(nil, cause) })
	a.ended(err, cause)
}

// ended settles the flight after the session was ended, or could not be.
func (a *attempt) ended(err, cause error) {
	if err != nil {
		a.log.Error("refused session could not be ended yet", "session", a.from.Record.ID, "error", err)
	}
	a.flight.settle(nil, cause)
}

// retry repeats a store operation until it succeeds or fails for good, or the policy gives it up.
// It calls notify after each failure that is followed by another attempt.
func retry[T any](
	ctx context.Context, policy resilience.Retry,
	operation func(context.Context) (T, error), notify backoff.Notify,
) (T, error) {
	return retryFor(ctx, policy, policy.Within(), operation, notify)
}

// retryFor is retry with a limit other than the policy's.
func retryFor[T any](
	ctx context.Context, policy resilience.Retry, limit time.Duration,
	operation func(context.Context) (T, error), notify backoff.Notify,
) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		once, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		v, err := operation(once)
		if isOver(err) || errors.Is(err, errSuperseded) || errors.Is(err, errNothingNew) {
			err = backoff.Permanent(err)
		}
		return v, err
	},
		backoff.WithBackOff(policy.Pauses().BackOff()),
		backoff.WithMaxElapsedTime(limit),
		backoff.WithNotify(notify),
	)
}
