package renewal_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// replicas are n processes over one store; they are closed by the function returned.
func (w *world) replicas(n int) (all []*renewal.Renewer, closeAll func()) {
	w.t.Helper()
	for range n {
		all = append(all, w.replica())
	}
	return all, func() {
		for _, r := range all {
			if err := r.Close(context.Background()); err != nil {
				w.t.Errorf("close: %v", err)
			}
		}
	}
}

// D3: however many replicas are asked at that moment, the provider sees one renewal, ten times
// over.
func TestStormOverReplicasIsOneRenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		replicas, closeAll := w.replicas(3)
		defer closeAll()
		w.op.Intercept(odd.Token, odd.Delay(50*time.Millisecond))
		for round := 1; round <= 10; round++ {
			time.Sleep(5*time.Minute + time.Millisecond)
			old := w.get(s.Name)
			var tokens sync.Map
			var all sync.WaitGroup
			for i := range 99 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					token, err := replicas[i%3].AccessToken(context.Background(), old)
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					tokens.Store(token.AccessToken, true)
				})
			}
			all.Wait()
			n := 0
			tokens.Range(func(any, any) bool { n++; return true })
			if n != 1 {
				t.Errorf("round %d: different tokens = %d, want 1", round, n)
			}
			w.wantRenewals(round)
		}
	})
}

// Waiting for another replica costs the store about a question in a second.
func TestWaitersDoNotPollTightly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		replicas, closeAll := w.replicas(2)
		defer closeAll()
		w.op.Intercept(odd.Token, odd.Delay(8*time.Second))
		time.Sleep(6 * time.Minute)
		var asked atomic.Int32
		count := func(context.Context) error { asked.Add(1); return nil }
		w.store.Before("acquire", count)
		w.store.Before("load", count)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if _, err := replicas[i%2].AccessToken(context.Background(), s); err != nil {
					t.Errorf("token: %v", err)
				}
			})
		}
		all.Wait()
		w.wantRenewals(1)
		if n := asked.Load(); n > 40 {
			t.Errorf("questions to the store in 8 s of waiting = %d, want no more than a few a second", n)
		}
	})
}

// A replica that dies between taking the lease and its commit costs the others the lease, no more.
func TestHolderThatDiedCostsTheLease(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		if got, err := w.store.Acquire(t.Context(), string(s.Name), "the dead", 30*time.Second); !got || err != nil {
			t.Fatalf("acquire: %v %v", got, err)
		}
		began := time.Now()
		for {
			_, err := w.token(s)
			if err == nil {
				break
			}
			unreachable, ok := errors.AsType[*provider.UnreachableError](err)
			if !ok || unreachable.RetryAfter <= 0 {
				t.Fatalf("while the lease lasts: %v, want that asking again is right", err)
			}
			if waited := time.Since(began); waited > time.Minute {
				t.Fatalf("no token after %v", waited)
			}
		}
		if waited := time.Since(began); waited < 30*time.Second || waited > 33*time.Second {
			t.Errorf("waited %v, want the lease's 30 s and the time to look", waited)
		}
		w.wantRenewals(1)
	})
}

// The nasty order: a replica takes the lease, is frozen, and wakes when the lease has run out and
// another has renewed. It must not send the token that is spent by now.
func TestFrozenHolderSendsNothingWhenItWakes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		other := w.replica()
		time.Sleep(6 * time.Minute)
		frozen, wake := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w.store.After("acquire", func() error {
			first := false
			once.Do(func() { first = true })
			if first {
				close(frozen)
				<-wake
			}
			return nil
		})
		var here renewal.Token
		var err error
		var done sync.WaitGroup
		done.Go(func() { here, err = w.renewer.AccessToken(context.Background(), s) })
		<-frozen
		time.Sleep(31 * time.Second)
		there, otherErr := other.AccessToken(context.Background(), s)
		if otherErr != nil {
			t.Fatalf("the other replica: %v", otherErr)
		}
		close(wake)
		done.Wait()
		// The request itself gave up long ago; what matters is what its flight did.
		if err == nil && here.AccessToken != there.AccessToken {
			t.Error("two tokens are in use")
		}
		synctest.Wait()
		w.wantRenewals(1)
		if now := w.mustToken(s); now.AccessToken != there.AccessToken {
			t.Error("the replica that woke does not use the other's token")
		}
		if err := other.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The same, frozen before it could send: waiting for a slot at the provider can take as long.
func TestLeaseThatRanOutBeforeSendingIsTakenAnew(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		var once sync.Once
		w.store.Before("load", func(context.Context) error {
			once.Do(func() { time.Sleep(4 * time.Second) }) // the flight's first read
			return nil
		})
		short := renewal.New(renewal.Options{
			Providers: w.providers, Sessions: w.sessions, Leases: w.store,
			Lease: 6 * time.Second, Logger: quiet,
		})
		if _, err := short.AccessToken(t.Context(), s); err != nil {
			t.Errorf("token: %v", err)
		}
		w.wantRenewals(1)
		synctest.Wait() // who waited has its token before the flight is over
		if got, err := w.store.Acquire(t.Context(), string(s.Name), "next", time.Second); !got || err != nil {
			t.Errorf("the lease after the renewal: %v %v, want it free", got, err)
		}
		if err := short.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A renewal that failed gives the lease back: another replica may have a better way to the
// provider.
func TestFailedRenewalReleasesTheLease(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		undo := w.op.Intercept(odd.Token, odd.Answer(503, "text/plain", "down"))
		if _, err := w.token(s); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("token: %v", err)
		}
		undo()
		synctest.Wait()
		if got, err := w.store.Acquire(t.Context(), string(s.Name), "next", time.Second); !got || err != nil {
			t.Errorf("the lease after the failure: %v %v, want it free", got, err)
		}
	})
}

// Without the store nothing is sent: what came back could not be saved, and who else sends can't be
// known.
func TestNothingIsSentWithoutALease(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		w.store.Before("acquire", fails)
		time.Sleep(4*time.Minute + 10*time.Second)
		if token := w.mustToken(s); token.AccessToken != s.Record.AccessToken {
			t.Error("a token came from nowhere")
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		if _, err := w.token(s); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("token: %v, want %v", err, session.ErrUnavailable)
		}
		w.wantRenewals(0)
		w.store.Before("acquire", nil)
		w.mustToken(s)
		w.wantRenewals(1)
	})
}

// SIGTERM while another replica renews: the shutdown does not wait for it.
func TestShutdownDoesNotWaitForAnotherReplicasRenewal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		if _, err := w.store.Acquire(t.Context(), string(s.Name), "another", time.Hour); err != nil {
			t.Fatal(err)
		}
		other := w.replica()
		var done sync.WaitGroup
		done.Go(func() { _, _ = other.AccessToken(context.Background(), s) })
		synctest.Wait()
		began := time.Now()
		if err := other.Close(t.Context()); err != nil || time.Since(began) > time.Second {
			t.Errorf("close took %v: %v", time.Since(began), err)
		}
		done.Wait()
	})
}

// The nasty order: a store that froze does not answer, wakes, and then takes the lease for who has
// given up.
func TestLeaseTakenAfterTheAnswerWasGivenUpIsReleased(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.login()
		time.Sleep(6 * time.Minute)
		var once sync.Once
		w.store.After("acquire", func() (err error) {
			once.Do(func() { err = storetest.ErrDisk })
			return err
		})
		if _, err := w.token(s); !errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("token: %v, want %v", err, session.ErrUnavailable)
		}
		synctest.Wait() // until the flight that failed has left: who asks before gets its outcome
		began := time.Now()
		w.mustToken(s)
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("waited %v for a lease that nobody holds", waited)
		}
		w.wantRenewals(1)
	})
}
