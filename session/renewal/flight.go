package renewal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/provider"
)

// errClosed answers who would start a flight after Close.
var errClosed = fmt.Errorf("shutting down: %w", provider.ErrUnreachable)

// A flight is one piece of work that many may wait for. It belongs to none of them: a waiter who
// leaves does not stop it. It can have its outcome before its work is over (a renewal whose tokens
// are there but not yet saved), and stays in the group until then.
//
// singleflight can't do this: there the outcome and the end of the work are one; nobody can say under
// its lock whether a flight may start, or look at the one under way; and no shutdown waits for them.
type flight[V any] struct {
	settled chan struct{} // closed once value and err are set; they don't change after that
	left    chan struct{} // closed when the flight has left its group
	once    sync.Once
	value   V
	err     error
}

// settle gives the outcome to everyone who waits; only the first call counts.
func (f *flight[V]) settle(value V, err error) {
	f.once.Do(func() {
		f.value, f.err = value, err
		close(f.settled)
	})
}

// isSettled reports whether there is an outcome; value and err may be read then.
func (f *flight[V]) isSettled() bool {
	select {
	case <-f.settled:
		return true
	default:
		return false
	}
}

// wait returns the outcome, or ctx's cause when that ends first. After patience (0: none) it returns
// errPatience: the caller has something else to live on.
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

// hasLeft reports whether the flight has left its group within d.
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

// errPatience: the flight goes on, but this waiter wanted no more of it.
var errPatience = errors.New("renewal takes longer than the old access token is worth waiting for")

// A group has at most one flight per key.
type group[K comparable, V any] struct {
	base   context.Context // of every flight; ended by close and abandon alone
	cancel context.CancelFunc
	wg     sync.WaitGroup // Add only under mu while not closed

	mu     sync.Mutex // guards what follows; never held across I/O
	under  map[K]*flight[V]
	closed bool
}

func newGroup[K comparable, V any]() *group[K, V] {
	g := &group[K, V]{under: make(map[K]*flight[V])}
	g.base, g.cancel = context.WithCancel(context.Background())
	return g
}

// find returns the flight under way for key, or nil.
func (g *group[K, V]) find(key K) *flight[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.under[key]
}

// join returns the flight under way for key, or, if permit agrees, starts one that does work and
// reports so. Permit must be quick. Work runs on a context of its own; what it leaves unsettled when
// it returns counts as failed.
func (g *group[K, V]) join(key K, permit func() error, work func(context.Context, *flight[V])) (f *flight[V], started bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.under[key]; f != nil {
		return f, false, nil
	}
	if g.closed {
		return nil, false, errClosed
	}
	if err := permit(); err != nil {
		return nil, false, err
	}
	f = &flight[V]{settled: make(chan struct{}), left: make(chan struct{})}
	g.under[key] = f
	g.wg.Go(func() {
		defer g.leave(key, f)
		work(g.base, f)
	})
	return f, true, nil
}

// leave takes a flight out of the group, before its waiters can start the next one.
func (g *group[K, V]) leave(key K, f *flight[V]) {
	g.mu.Lock()
	delete(g.under, key)
	g.mu.Unlock()
	close(f.left)
	var none V
	f.settle(none, errors.New("renewal came to no outcome"))
}

// close starts no more flights and waits for those under way until ctx ends; what then still flies
// is abandoned.
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
