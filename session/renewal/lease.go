package renewal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// defaultLease is longer than two attempts at a token request to a slow provider.
	defaultLease = 30 * time.Second
	releaseTime  = 2 * time.Second
)

var errLeaseLost = errors.New("the lease on this renewal may have run out")

// A lease is this replica's right to send a session's refresh token. It lasts until the others may
// take the replica for dead. It saves traffic, and it protects the session at a provider that
// treats a token sent twice as stolen. Correctness does not depend on it: the version check at the
// commit ensures that.
//
// If the store can tell a frozen process from a dead one, others wait for a frozen one even after
// the lease has expired (storage.FrozenFactor). So a lease that is no longer needed must be
// released, however long that takes. A process that is frozen for even longer between sending and
// committing is taken for dead, and another will send the same token.
type lease struct {
	key, holder string
	until       time.Time // by the monotonic clock, which continues while a process is stopped
	forgotten   time.Time // when the lease has expired in the store, whatever happens
}

// takeLease waits for this replica's turn. It returns either a lease and the newest record, read
// after the lease was taken, or a nil lease and a record that another replica has renewed. After a
// while it gives up; callers that ask again wait again.
func (a *attempt) takeLease(
	ctx context.Context, name session.Name,
) (*lease, *session.Session, error) {
	changed, stop := a.sessions.Watch(name)
	defer stop()
	timeout := time.NewTimer(resilience.OthersRenewal.Within())
	defer timeout.Stop()
	for {
		l, err := a.tryLease(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		newest, err := a.newest(ctx, name)
		if err != nil || !a.isDue(newest) {
			a.release(ctx, l)
			return nil, newest, err
		}
		if l != nil {
			return l, newest, nil
		}
		if newest, err := a.awaitOthers(ctx, newest, changed, timeout.C); err != nil || newest != nil {
			return nil, newest, err
		}
	}
}

// awaitOthers waits until the session changes, or until it is time to check: the lease's holder may
// have died, or the change feed may be down. It returns the record if it was renewed, nil if it
// still is to be.
func (a *attempt) awaitOthers(
	ctx context.Context, s *session.Session, changed <-chan struct{}, timeout <-chan time.Time,
) (*session.Session, error) {
	again := time.NewTimer(resilience.OthersRenewal.Pauses().After(1))
	defer again.Stop()
	select {
	case <-changed:
	case <-again.C:
	case <-timeout:
		// Nothing is wrong with the session, so the caller should ask again.
		return nil, notYet(s, "another replica has not finished renewing this session")
	case <-a.closing.Done():
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	newest, err := a.newest(ctx, s.Name)
	if err != nil || a.isDue(newest) {
		return nil, err
	}
	return newest, nil
}

// notYet makes callers ask again when somebody else's renewal may be over.
func notYet(s *session.Session, reason string) error {
	return &provider.UnreachableError{
		Provider: s.Record.Provider, Endpoint: "token", Reason: reason,
		RetryAfter: resilience.OthersRenewal.Pauses().First(),
	}
}

// tryLease returns nil if another replica has the lease.
func (a *attempt) tryLease(ctx context.Context, name session.Name) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := time.Now()
	l := &lease{
		key: string(name), holder: rand.Text(),
		until: now.Add(a.lease), forgotten: now.Add(a.lease * storage.FrozenFactor),
	}
	got, err := a.leases.Acquire(ctx, l.key, l.holder, a.lease)
	if err != nil {
		if !errors.Is(err, storage.ErrNotAsked) {
			a.releaseLater(l)
		}
		return nil, session.Unavailable(fmt.Errorf("take the lease on a renewal: %w", err))
	}
	if !got {
		return nil, nil
	}
	return l, nil
}

// releaseLater releases, in the background, a lease that could not be released, or that may have
// been taken without an answer, now or once the store wakes up. If it were left alone, nobody could
// renew the session until it expires.
func (a *attempt) releaseLater(l *lease) {
	a.releases.Go(func() {
		pauses := resilience.ReleaseLease.Pauses()
		for time.Now().Before(l.forgotten) && resilience.Sleep(a.closing, pauses.After(1)) {
			ctx, cancel := context.WithTimeout(a.closing, releaseTime)
			err := a.leases.Release(ctx, l.key, l.holder)
			cancel()
			if err == nil {
				return
			}
		}
	})
}

// holds returns an error once half of the lease is over: the other half is reserved for the
// provider's answer and the commit.
func (l *lease) holds(whole time.Duration) error {
	if time.Until(l.until) < whole/2 {
		return errLeaseLost
	}
	return nil
}

// release ends a lease, so that others can take it. It continues when ctx has ended.
func (a *attempt) release(ctx context.Context, l *lease) {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if err := a.leases.Release(ctx, l.key, l.holder); err != nil {
		a.releaseLater(l)
	}
}
