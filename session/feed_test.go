package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

// A fedStore is a storetest.Faulty that tells its listeners what is done to records, with a feed
// that can be cut and held up. The stores proper are put through the same in storetest, and through
// storms in test/faults.
type fedStore struct {
	*storetest.Faulty

	mu        sync.Mutex // guards what follows
	listeners map[chan func(func(storage.Change))]struct{}
	down      bool
}

func newFedStore(inner *storetest.Faulty) *fedStore {
	return &fedStore{Faulty: inner, listeners: map[chan func(func(storage.Change))]struct{}{}}
}

func (s *fedStore) Parts() storage.Store {
	return storage.Store{Records: s, Finder: s, Outbox: s, Leases: s, Marks: s, Connection: s, Feed: s}
}

var errCut = errors.New("the feed was cut")

func (s *fedStore) Listen(ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time)) error {
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return errCut
	}
	told := make(chan func(func(storage.Change)), 1000)
	s.listeners[told] = struct{}{}
	s.mu.Unlock()
	proven(time.Now())
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		select {
		case tell, ok := <-told:
			if !ok {
				return errCut
			}
			tell(heard)
		case <-beat.C:
			if len(told) == 0 {
				proven(time.Now())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *fedStore) tell(c storage.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		l <- func(heard func(storage.Change)) { heard(c) }
	}
}

// cut breaks every feed until mend.
func (s *fedStore) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	for l := range s.listeners {
		close(l)
	}
	clear(s.listeners)
}

func (s *fedStore) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

func (s *fedStore) Update(ctx context.Context, e storage.Entry) error {
	err := s.Faulty.Update(ctx, e)
	if err == nil {
		s.tell(storage.Change{Kind: storage.RecordUpdated, Name: e.Name, Version: e.Version + 1})
	}
	return err
}

func (s *fedStore) Touch(ctx context.Context, name string, active, idle time.Time) error {
	err := s.Faulty.Touch(ctx, name, active, idle)
	if err == nil {
		s.tell(storage.Change{Kind: storage.RecordTouched, Name: name, LastActive: active, IdleExpires: idle})
	}
	return err
}

func (s *fedStore) End(ctx context.Context, name, reason string, at time.Time) error {
	err := s.Faulty.End(ctx, name, reason, at)
	if err == nil {
		s.tell(storage.Change{Kind: storage.RecordEnded, Name: name, Reason: reason})
	}
	return err
}

// two are two processes that share a store with a feed.
func two(t *testing.T, change ...func(*session.Options)) (here, there *world, store *fedStore) {
	t.Helper()
	plain := newWorld(t)
	store = newFedStore(plain.store)
	with := append([]func(*session.Options){func(o *session.Options) { o.Store = store.Parts() }}, change...)
	here, there = newWorld(t, with...), newWorld(t, with...)
	here.store, there.store = plain.store, plain.store
	for _, w := range []*world{here, there} {
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() { defer close(over); w.Listen(ctx) }()
		t.Cleanup(func() { cancel(); <-over })
	}
	synctest.Wait()
	return here, there, store
}

// D5: with a feed, a session in use costs one read however long it is used, not one in each
// max_staleness.
func TestHotSessionCostsNoReadWhileTheFeedStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _, store := two(t)
		_, c := here.start()
		loads := store.Loads.Load()
		for range 100 {
			if _, err := here.FromRequest(with(c)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(staleness / 2)
		}
		if n := store.Loads.Load() - loads; n != 1 {
			t.Errorf("store reads in %v = %d, want 1", 50*staleness, n)
		}
		const lookups = "cloakroom_session_cache_lookups_total"
		if hits, misses := here.metric(lookups, "result=hit"), here.metric(lookups, "result=miss"); hits != 99 || misses != 1 {
			t.Errorf("hits %v, misses %v, want 99 and 1", hits, misses)
		}
	})
}

func TestEndElsewhereIsHeardAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, _ := two(t)
		s, c := here.start()
		if _, err := there.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		events, stop := there.Subscribe(s.Name)
		defer stop()
		var cut session.Reason
		there.Attach(s.Name, func(r session.Reason) { cut = r })
		if err := here.End(t.Context(), s.Name, session.ReasonProviderLogout); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := <-events; e.Session != nil || e.Reason != session.ReasonProviderLogout {
			t.Errorf("event = %+v, want the end and its reason", e)
		}
		if cut != session.ReasonProviderLogout {
			t.Errorf("streams were told %q", cut)
		}
		_, err := there.FromRequest(with(c))
		there.wantGone(err)
		if n := there.metric("cloakroom_sessions_ended_total", "reason=provider_logout"); n != 0 {
			t.Errorf("counted here = %v, want it counted where it was done alone", n)
		}
		if n := here.log.Count("session=" + s.Record.ID + " provider=main"); n != 2 {
			t.Errorf("lines that say whose session = %d, want its start and its end", n)
		}
	})
}

func TestRenewalElsewhereIsHeardAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store := two(t)
		s, c := here.start()
		if _, err := there.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		events, stop := there.Subscribe(s.Name)
		defer stop()
		poked, unwatch := there.Watch(s.Name)
		defer unwatch()
		if _, err := here.Commit(t.Context(), s, renew("second")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		<-poked
		if e := <-events; e.Session == nil || e.Session.Version != 2 {
			t.Errorf("event = %+v, want version 2", e)
		}
		loads := store.Loads.Load()
		for _, w := range []*world{here, there} { // who wrote has it in memory, who heard has read it
			if got, err := w.FromRequest(with(c)); err != nil || got.Version != 2 {
				t.Errorf("served version %d %v, want 2", got.Version, err)
			}
		}
		if n := store.Loads.Load() - loads; n != 0 {
			t.Errorf("store reads = %d, want none", n)
		}
	})
}

func TestActivityElsewhereKeepsASessionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store := two(t)
		s, c := here.start()
		if _, err := there.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idle / 2)
		if _, err := there.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		here.Touch(t.Context(), s)
		synctest.Wait()
		time.Sleep(idle/2 + time.Minute)
		loads := store.Loads.Load()
		if _, err := there.FromRequest(with(c)); err != nil || store.Loads.Load() != loads {
			t.Errorf("served: %v, with %d reads; want the session, from memory", err, store.Loads.Load()-loads)
		}
	})
}

// While the feed is down nothing is served from memory, and what is put there counts for nothing
// once the feed is back: it may have changed in between.
func TestBrokenFeedEmptiesTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store := two(t)
		s, c := here.start()
		use := func() (reads int32, err error) {
			before := store.Loads.Load()
			_, err = there.FromRequest(with(c))
			return store.Loads.Load() - before, err
		}
		use()
		store.cut()
		synctest.Wait()
		if up := there.metric("cloakroom_store_line_up"); up != 0 {
			t.Errorf("feed up = %v", up)
		}
		for range 3 {
			if n, err := use(); n != 1 || err != nil {
				t.Errorf("reads with the feed down = %d %v, want each", n, err)
			}
		}
		var cut session.Reason
		there.Attach(s.Name, func(r session.Reason) { cut = r })
		if err := here.End(t.Context(), s.Name, session.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if cut != "" {
			t.Error("an end was heard over a feed that is down")
		}
		store.mend()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if cut != session.ReasonRevoked {
			t.Errorf("streams of a session that ended unheard were told %q when the feed was back, want %q", cut, session.ReasonRevoked)
		}
		if up := there.metric("cloakroom_store_line_up"); up != 1 {
			t.Errorf("feed up = %v", up)
		}
	})
}

// The nasty order: a reader asks, the feed goes and comes back, and a change in between was heard
// by nobody.
func TestReadAcrossABreakOfTheFeedIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store := two(t)
		s, c := here.start()
		first, release := true, make(chan struct{})
		store.BeforeAny(func(_ context.Context, operation string) error {
			if operation == "loaded" && first {
				first = false
				<-release
			}
			return nil
		})
		done := make(chan error)
		go func() {
			_, err := there.FromRequest(with(c))
			done <- err
		}()
		synctest.Wait()
		store.cut()
		synctest.Wait()
		if _, err := here.Commit(t.Context(), s, renew("second")); err != nil {
			t.Fatal(err)
		}
		store.mend()
		time.Sleep(5 * time.Second)
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, err := there.FromRequest(with(c)); err != nil || got.Version != 2 {
			t.Errorf("served version %d %v, want 2", got.Version, err)
		}
	})
}

// A feed that says nothing more, and does not break either, makes what is cached stale all the
// same.
func TestSilentFeedIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _, store := two(t)
		_, c := here.start()
		if _, err := here.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		store.mu.Lock() // nobody is told, and no beat comes round
		for l := range store.listeners {
			for range cap(l) {
				l <- func(func(storage.Change)) { time.Sleep(time.Hour) }
			}
		}
		store.mu.Unlock()
		time.Sleep(staleness + time.Second)
		loads := store.Loads.Load()
		if _, err := here.FromRequest(with(c)); err != nil || store.Loads.Load()-loads != 1 {
			t.Errorf("served: %v with %d reads, want one", err, store.Loads.Load()-loads)
		}
	})
}

// session.on_outage: serve_cached.
func TestOutageServesWhatIsCachedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _, store := two(t, func(o *session.Options) { o.OnOutage, o.OutageLimit = "serve_cached", time.Minute })
		s, c := here.start()
		_, cold := here.start()
		if _, err := here.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		store.cut()
		store.Fail("load", "end", "update", "touch")
		time.Sleep(50 * time.Second)
		if _, err := here.FromRequest(with(c)); err != nil {
			t.Errorf("50 s into the outage: %v", err)
		}
		_, err := here.FromRequest(with(cold))
		wantUnavailable(t, err)
		_, err = here.Commit(t.Context(), s, renew("second"))
		wantUnavailable(t, err)
		wantUnavailable(t, here.End(t.Context(), s.Name, session.ReasonLogout))
		time.Sleep(15 * time.Second)
		_, err = here.FromRequest(with(c))
		wantUnavailable(t, err)
	})
}

// The default: an outage is an outage.
func TestOutageServesNothingByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _, store := two(t)
		_, c := here.start()
		if _, err := here.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		store.cut()
		store.Fail("load")
		synctest.Wait()
		_, err := here.FromRequest(with(c))
		wantUnavailable(t, err)
	})
}

func TestNewKeysHoldWithoutARestart(t *testing.T) {
	ring := keys.NewRing(key(1))
	w := newWorld(t, func(o *session.Options) { o.Keys = ring })
	_, old := w.start()
	ring.Replace(keys.NewRing(key(2), key(1)))
	s, fresh := w.start()
	for _, c := range []string{old.Value, fresh.Value} {
		if _, err := w.another(under(key(2), key(1))).FromRequest(request(old.Name + "=" + c)); err != nil {
			t.Errorf("with both keys: %v", err)
		}
	}
	if _, err := w.another(under(key(2))).FromRequest(with(fresh)); err != nil {
		t.Errorf("what began after the change needs the old key: %v", err)
	}
	for _, c := range []string{old.Value, fresh.Value} {
		if _, err := w.FromRequest(request(old.Name + "=" + c)); err != nil {
			t.Errorf("beside the change: %v", err)
		}
	}
	if _, err := w.Get(context.Background(), s.Name); err != nil {
		t.Errorf("after the change: %v", err)
	}
}
