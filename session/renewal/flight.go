package renewal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/provider"
)

// errClosed is the error of flights that would start after Close.
var errClosed = fmt.Errorf("shutting down: %w", provider.ErrUnreachable)

// A flight is a piece of work that several callers may wait for. It belongs to none of them: it
// continues when a caller leaves. It can be settled before its work is over (renewed tokens that
// are not saved yet), and stays in its group until then.
//
// singleflight can't do this: there the outcome is the end of the work; callers can't decide under
// its lock whether a flight may start, nor look at the flight under way; and a shutdown can't wait
// for its flights.
type flight[V any] struct {
	settled chan struct{} // closed once value and err are set; they don't change afterwards
	left    chan struct{} // closed once the flight has left its group
	once    sync.Once
	value   V
	err     error
}

// settle sets the outcome for all waiters. Only the first call counts.
func (f *flight[V]) settle(value V, err error) {
	f.once.Do(func() {
		f.value, f.err = value, err
		close(f.settled)
	})
}

// isSettled reports whether there is an outcome. If so, value and err may be read.
func (f *flight[V]) isSettled() bool {
	select {
	case <-f.settled:
		return true
	default:
		return false
	}
}

// wait returns the outcome, or ctx's cause if ctx ends first. After patience (0: no limit) it
// returns errPatience.
func (f *flight[V]) wait(ctx context.Context, patience time.Duration) (V, error) {
	var enough <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		enough = t.C
	}
	var none V
	select {
	case <-f.settled:
		return f.value, f.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-enough:
		return none, errPatience
	}
}

// hasLeft reports whether the flight leaves its group within d.
func (f *flight[V]) hasLeft(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-f.left:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// errPatience: the flight continues, but this waiter stopped waiting for it.
var errPatience = errors.New("renewal takes longer than the old access token is worth waiting for")

// A group has at most one flight per key.
type group[K comparable, V any] struct {
	base   context.Context // of every flight; ended by close and abandon
	cancel context.CancelFunc
	wg     sync.WaitGroup // Add only under mu while not closed

	mu     sync.Mutex // guards the fields below; never held across I/O
	flying map[K]*flight[V]
	closed bool
}

func newGroup[K comparable, V any]() *group[K, V] {
	g := &group[K, V]{flying: make(map[K]*flight[V])}
	g.base, g.cancel = context.WithCancel(context.Background())
	return g
}

// find returns the flight under way for key, or nil.
func (g *group[K, V]) find(key K) *flight[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flying[key]
}

// join returns the flight for key that is under way. If there is none and permit allows it, join
// starts one that does work, and reports that it did. permit must be quick. work gets a context of
// the group's own; if it returns without settling the flight, the flight fails.
func (g *group[K, V]) join(
	key K, permit func() error, work func(context.Context, *flight[V]),
) (f *flight[V], started bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flying[key]; f != nil {
		return f, false, nil
	}
	if g.closed {
		return nil, false, errClosed
	}
	if err := permit(); err != nil {
		return nil, false, err
	}
	f = &flight[V]{settled: make(chan struct{}), left: make(chan struct{})}
	g.flying[key] = f
	g.wg.Go(func() {
		defer g.leave(key, f)
		work(g.base, f)
	})
	return f, true, nil
}

// leave removes a flight from the group, before its waiters can start the next one.
func (g *group[K, V]) leave(key K, f *flight[V]) {
	g.mu.Lock()
	delete(g.flying, key)
	g.mu.Unlock()
	close(f.left)
	var none V
	f.settle(none, errors.New("renewal came to no outcome"))
}

// close starts no more flights and waits for those under way. When ctx ends it gives up and cancels
// them.
func (g *group[K, V]) close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	landed := make(chan struct{})
	go func() {
		g.wg.Wait()
		close(landed)
	}()
	defer g.cancel()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandon starts no more flights, ends those under way, and waits for them.
func (g *group[K, V]) abandon() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.wg.Wait()
}
