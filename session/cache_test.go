package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"

	"github.com/cloakroom/cloakroom/session"
)

func TestHotSessionCostsNoRead(t *testing.T) {
	w := newWorld(t)
	_, c := w.start()
	loads := w.store.Loads.Load()
	for range 100 {
		if _, err := w.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.store.Loads.Load() - loads; n != 1 {
		t.Errorf("store reads = %d, want 1", n)
	}
}

func TestNoStalenessMeansAReadEachTime(t *testing.T) {
	w := newWorld(t, noCache)
	_, c := w.start()
	loads := w.store.Loads.Load()
	for range 10 {
		if _, err := w.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.store.Loads.Load() - loads; n != 10 {
		t.Errorf("store reads = %d, want 10", n)
	}
}

// SC11, ST2: an end elsewhere is noticed within max_staleness, also in an outage.
func TestEndElsewhereIsNoticedWithinMaxStaleness(t *testing.T) {
	for _, outage := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			other := w.another()
			s, c := w.start()
			for range 4 { // a session in use stays no longer in the cache for it
				if _, err := w.FromRequest(with(c)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(staleness / 4)
			}
			if _, err := w.FromRequest(with(c)); err != nil {
				t.Fatal(err)
			}
			if err := other.End(t.Context(), s.Name, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			if outage {
				w.store.Fail("load")
			}
			time.Sleep(staleness)
			_, err := w.FromRequest(with(c))
			if outage {
				wantUnavailable(t, err)
			} else {
				w.wantGone(err)
			}
		})
	}
}

// The nasty order: a reader asks the store, the session ends, and only then the reader's answer
// comes. Served to that reader it may be; kept it may not.
func TestReaderOvertakenByAnEndDoesNotPutTheSessionBack(t *testing.T) {
	overtaken(t, func(w *world, s *session.Session) {
		if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
			w.t.Error(err)
		}
	}, func(w *world, s *session.Session) {
		_, err := w.Get(context.Background(), s.Name)
		w.wantGone(err)
	})
}

// The same with a renewal: an old refresh token must not be served after the new one was written.
func TestReaderOvertakenByACommitDoesNotPutTheOldRecordBack(t *testing.T) {
	overtaken(t, func(w *world, s *session.Session) {
		if _, err := w.Commit(context.Background(), s, renew("second")); err != nil {
			w.t.Error(err)
		}
	}, func(w *world, s *session.Session) {
		if read, err := w.Get(context.Background(), s.Name); err != nil || read.Version != 2 {
			w.t.Errorf("read version %d: %v, want 2", read.Version, err)
		}
	})
}

// overtaken has a reader wait with the store's answer in hand until write is done.
func overtaken(t *testing.T, write, then func(*world, *session.Session)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.start()
		first, release := true, make(chan struct{})
		w.store.BeforeAny(func(_ context.Context, operation string) error {
			if operation == "loaded" && first {
				first = false
				<-release
			}
			return nil
		})
		done := make(chan error)
		go func() {
			_, err := w.FromRequest(with(c))
			done <- err
		}()
		synctest.Wait()
		write(w, s)
		close(release)
		if err := <-done; err != nil {
			t.Errorf("the reader: %v", err)
		}
		then(w, s)
	})
}

// ST1: a store that can't be asked is neither "logged out" nor "logged in".
func TestStoreOutageIsNoAnswer(t *testing.T) {
	w := newWorld(t, noCache)
	s, c := w.start()
	w.store.Fail("load", "find", "list")
	_, err := w.FromRequest(with(c))
	wantUnavailable(t, err)
	_, err = w.Get(context.Background(), s.Name)
	wantUnavailable(t, err)
	_, err = w.OfSubject(context.Background(), "main", "alice")
	wantUnavailable(t, err)
	_, _, err = w.List(context.Background(), "", 10)
	wantUnavailable(t, err)
	if !errors.Is(err, storetest.ErrDisk) {
		t.Errorf("the cause is lost: %v", err)
	}
	w.store.BeforeAny(nil)
	if _, err := w.FromRequest(with(c)); err != nil {
		t.Errorf("when the store is back: %v", err)
	}
}
