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
	// defaultLease outlasts the two tries of a token request that a provider may be slow with.
	defaultLease = 30 * time.Second
	releaseTime  = 2 * time.Second
)

var errLeaseLost = errors.New("the lease on this renewal may have run out")

// A lease is this replica's right to send a session's refresh token, for so long that nobody else thinks
// it has died. It saves traffic and, at a provider that takes a token sent twice for theft, the
// session; what makes the outcome right is the version check at the commit.
//
// A store that can tell a frozen process from a dead one has the others wait for it beyond the lease
// (storage.FrozenFactor); so a lease that is no longer needed is given back, however long that takes. It can't do the
// impossible: a process that is frozen for even longer between sending and committing is taken for dead, and another
// will send the same token.
type lease struct {
	key, holder string
	until       time.Time // on the monotonic clock, which runs on while a process is stopped
	forgotten   time.Time // when the store has forgotten it, whatever happens
}

// takeLease waits for its turn. Either it returns the lease and the newest record, read after the lease was
// taken; or it returns a nil lease and a record that another replica has renewed. Those who ask again after it
// gave up wait anew.
func (w *work) takeLease(ctx context.Context, name session.Name) (*lease, *session.Session, error) {
	poked, stop := w.sessions.Watch(name)
	defer stop()
	enough := time.NewTimer(resilience.OthersRenewal.Within())
	defer enough.Stop()
	for {
		l, err := w.tryLease(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		newest, err := w.newest(ctx, name)
		if err != nil || !w.isDue(newest) {
			w.release(ctx, l)
			return nil, newest, err
		}
		if l != nil {
			return l, newest, nil
		}
		if newest, err := w.awaitOthers(ctx, newest, poked, enough.C); err != nil || newest != nil {
			return nil, newest, err
		}
	}
}

// awaitOthers waits until something is heard of the session, or until it is time to look: the lease's
// holder may have died, or the line to the store may be down. It returns the record if it was renewed,
// nothing if it still is to be.
func (w *work) awaitOthers(
	ctx context.Context, s *session.Session, poked <-chan struct{}, enough <-chan time.Time,
) (*session.Session, error) {
	again := time.NewTimer(resilience.OthersRenewal.Pauses().After(1))
	defer again.Stop()
	select {
	case <-poked:
	case <-again.C:
	case <-enough:
		// Nothing is wrong with the session, and asking again is right.
		return nil, notYet(s, "another replica has not finished renewing this session")
	case <-w.closing.Done():
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	newest, err := w.newest(ctx, s.Name)
	if err != nil || w.isDue(newest) {
		return nil, err
	}
	return newest, nil
}

// notYet tells a caller to ask again when a renewal that somebody else has under way may be over.
func notYet(s *session.Session, reason string) error {
	return &provider.UnreachableError{
		Provider: s.Record.Provider, Endpoint: "token", Reason: reason,
		RetryAfter: resilience.OthersRenewal.Pauses().First(),
	}
}

// tryLease returns nil when another replica has the lease.
func (w *work) tryLease(ctx context.Context, name session.Name) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := time.Now()
	l := &lease{key: string(name), holder: rand.Text(), until: now.Add(w.lease), forgotten: now.Add(w.lease * storage.FrozenFactor)}
	got, err := w.leases.Acquire(ctx, l.key, l.holder, w.lease)
	if err != nil {
		if !errors.Is(err, storage.ErrNotAsked) {
			w.releaseLater(l)
		}
		return nil, session.Unavailable(fmt.Errorf("take the lease on a renewal: %w", err))
	}
	if !got {
		return nil, nil
	}
	return l, nil
}

// releaseLater sees to a lease that could not be given back, that may have been taken without our knowing, or may yet
// be when the store wakes up: left alone, it would keep everybody from renewing the session for as long as it lasts.
func (w *work) releaseLater(l *lease) {
	w.ghosts.Go(func() {
		pauses := resilience.ReleaseLease.Pauses()
		for time.Now().Before(l.forgotten) && resilience.Sleep(w.closing, pauses.After(1)) {
			ctx, cancel := context.WithTimeout(w.closing, releaseTime)
			err := w.leases.Release(ctx, l.key, l.holder)
			cancel()
			if err == nil {
				return
			}
		}
	})
}

// holds returns an error once half of the lease is over: what is left is for the provider's answer and
// the commit.
func (l *lease) holds(whole time.Duration) error {
	if time.Until(l.until) < whole/2 {
		return errLeaseLost
	}
	return nil
}

// release lets the next one try. It goes on when ctx has ended.
func (w *work) release(ctx context.Context, l *lease) {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if err := w.leases.Release(ctx, l.key, l.holder); err != nil {
		w.releaseLater(l)
	}
}
