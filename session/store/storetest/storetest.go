// Package storetest is the behaviour that every store must show. A store's own tests call Run with
// a way to open an empty one; what a real server needs beside that is theirs to start.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Open returns an empty store, which ends with the test.
type Open func(t *testing.T) session.Store

// Run shows every behaviour, each on a store of its own.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, session.Store)
	}{
		{"a record is found as it was written", foundAsWritten},
		{"a name is taken once, and for good", takenForGood},
		{"an update needs the version that was read", updateNeedsVersion},
		{"a touch moves forward only and leaves the version", touchMovesForward},
		{"an end moves the newest record into the outbox", endMovesTheNewest},
		{"what expired is ended, in batches", expiredIsEnded},
		{"an index follows the record", indexFollows},
		{"a listing goes on where it stopped", listingGoesOn},
		{"an item is leased to one at a time", leasedToOne},
		{"a mark is made once", markedOnce},
		{"of many updates at one version one wins", oneUpdateWins},
		{"of an end and an update the end wins", endWins},
		{"of many ends one is heard", oneEndIsHeard},
		{"many leases never share an item", leasesShareNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var (
	ctx = context.Background()
	now = time.UnixMilli(1_800_000_000_000)
)

func entry(name string) session.Entry {
	return session.Entry{
		Name: session.Name(name), Sealed: []byte("sealed " + name), Provider: "main", Indices: []string{"all", "own " + name},
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpires: now.Add(30 * time.Minute), LastActive: now,
	}
}

func create(t *testing.T, s session.Store, e session.Entry) {
	t.Helper()
	if err := s.Create(ctx, e); err != nil {
		t.Fatalf("create %s: %v", e.Name, err)
	}
}

func load(t *testing.T, s session.Store, name string) session.Entry {
	t.Helper()
	e, err := s.Load(ctx, session.Name(name))
	if err != nil {
		t.Fatalf("load %s: %v", name, err)
	}
	return e
}

func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("%s = %v, want %v", what, err, wanted)
	}
}

func wantPending(t *testing.T, s session.Store, n int) []session.Revocation {
	t.Helper()
	items, pending, err := s.Revocations(ctx, 1000)
	if err != nil || pending != n || len(items) != n {
		t.Errorf("outbox = %d items of %d, %v; want %d", len(items), pending, err, n)
	}
	return items
}

func foundAsWritten(t *testing.T, s session.Store) {
	e := entry("a")
	e.Sealed = bytes.Repeat([]byte{0, 1, 255}, 70_000)
	create(t, s, e)
	got := load(t, s, "a")
	if got.Version != 1 || !bytes.Equal(got.Sealed, e.Sealed) || got.Provider != "main" || !got.CreatedAt.Equal(now) ||
		!got.ExpiresAt.Equal(e.ExpiresAt) || !got.IdleExpires.Equal(e.IdleExpires) || !got.LastActive.Equal(now) {
		t.Errorf("record = version %d, %d bytes, %v", got.Version, len(got.Sealed), got.ExpiresAt)
	}
	forever := entry("b")
	forever.IdleExpires = time.Time{}
	create(t, s, forever)
	if !load(t, s, "b").IdleExpires.IsZero() {
		t.Error("a record without idle expiry has one")
	}
	_, err := s.Load(ctx, "nobody")
	want(t, "load of nobody", err, session.ErrNotFound)
	if n, err := s.Count(ctx); n != 2 || err != nil {
		t.Errorf("count = %d, %v; want 2", n, err)
	}
	want(t, "ping", s.Ping(ctx), nil)
}

func takenForGood(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	want(t, "second create", s.Create(ctx, entry("a")), session.ErrExists)
	want(t, "end", s.End(ctx, "a", session.ReasonLogout, now), nil)
	want(t, "create after the end", s.Create(ctx, entry("a")), session.ErrExists)
}

func updateNeedsVersion(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	e := load(t, s, "a")
	e.Sealed, e.ExpiresAt = []byte("second"), now.Add(2*time.Hour)
	want(t, "update", s.Update(ctx, e), nil)
	want(t, "update at the old version", s.Update(ctx, e), session.ErrConflict)
	got := load(t, s, "a")
	if got.Version != 2 || string(got.Sealed) != "second" || !got.ExpiresAt.Equal(now.Add(2*time.Hour)) {
		t.Errorf("record = version %d, %q", got.Version, got.Sealed)
	}
	e.Name = "nobody"
	want(t, "update of nobody", s.Update(ctx, e), session.ErrNotFound)
}

func touchMovesForward(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	later := now.Add(time.Minute)
	want(t, "touch", s.Touch(ctx, "a", later, later.Add(time.Hour)), nil)
	want(t, "touch from the past", s.Touch(ctx, "a", now.Add(-time.Hour), now), nil)
	got := load(t, s, "a")
	if got.Version != 1 || !got.LastActive.Equal(later) || !got.IdleExpires.Equal(later.Add(time.Hour)) {
		t.Errorf("record = version %d, active %v, idle %v", got.Version, got.LastActive, got.IdleExpires)
	}
	want(t, "touch of nobody", s.Touch(ctx, "nobody", now, now), session.ErrNotFound)
}

func endMovesTheNewest(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	e := load(t, s, "a")
	e.Sealed = []byte("newest")
	want(t, "update", s.Update(ctx, e), nil)
	want(t, "end", s.End(ctx, "a", session.ReasonLogout, now), nil)
	want(t, "second end", s.End(ctx, "a", session.ReasonRevoked, now), session.ErrNotFound)
	_, err := s.Load(ctx, "a")
	want(t, "load after the end", err, session.ErrNotFound)
	want(t, "update after the end", s.Update(ctx, e), session.ErrNotFound)
	want(t, "touch after the end", s.Touch(ctx, "a", now, now), session.ErrNotFound)
	items := wantPending(t, s, 1)
	if len(items) == 1 && (items[0].Reason != session.ReasonLogout || items[0].Sealed != nil) {
		t.Errorf("listed item = %+v; want the first end's reason, and nothing sealed", items[0])
	}
	due, err := s.Lease(ctx, now, time.Minute, 10)
	if err != nil || len(due) != 1 || string(due[0].Sealed) != "newest" || due[0].Origin != "a" || due[0].Provider != "main" {
		t.Errorf("leased = %+v, %v; want the newest record of a", due, err)
	}
}

func expiredIsEnded(t *testing.T, s session.Store) {
	for i := range 5 {
		e := entry(fmt.Sprintf("old%d", i))
		if i%2 == 0 {
			e.IdleExpires = now.Add(-time.Second)
		} else {
			e.ExpiresAt, e.IdleExpires = now, time.Time{}
		}
		create(t, s, e)
	}
	create(t, s, entry("young"))
	first, err := s.EndExpired(ctx, now, 3)
	if err != nil || len(first) != 3 {
		t.Errorf("first batch = %v, %v; want three", first, err)
	}
	rest, err := s.EndExpired(ctx, now, 3)
	if err != nil || len(rest) != 2 {
		t.Errorf("second batch = %v, %v; want two", rest, err)
	}
	load(t, s, "young")
	for _, i := range wantPending(t, s, 5) {
		if i.Reason != session.ReasonExpired {
			t.Errorf("reason = %q", i.Reason)
		}
	}
}

func indexFollows(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	create(t, s, entry("b"))
	e := load(t, s, "a")
	e.Indices = []string{"all", "new a"}
	want(t, "update", s.Update(ctx, e), nil)
	for key, wanted := range map[string][]session.Name{"all": {"a", "b"}, "new a": {"a"}, "own a": nil, "own b": {"b"}} {
		if got, err := s.Find(ctx, key); err != nil || !slices.Equal(got, wanted) {
			t.Errorf("find %q = %v, %v; want %v", key, got, err, wanted)
		}
	}
	want(t, "end", s.End(ctx, "a", session.ReasonLogout, now), nil)
	if got, err := s.Find(ctx, "all"); err != nil || !slices.Equal(got, []session.Name{"b"}) {
		t.Errorf("find after the end = %v, %v", got, err)
	}
}

func listingGoesOn(t *testing.T, s session.Store) {
	for _, n := range []string{"c", "a", "d", "b"} {
		create(t, s, entry(n))
	}
	var got []session.Name
	for after := session.Name(""); ; {
		page, err := s.List(ctx, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Sealed != nil {
				t.Error("a listing holds records")
			}
			got = append(got, e.Name)
			after = e.Name
		}
		if len(page) < 3 {
			break
		}
	}
	if !slices.Equal(got, []session.Name{"a", "b", "c", "d"}) {
		t.Errorf("listed = %v", got)
	}
}

func leasedToOne(t *testing.T, s session.Store) {
	item := session.Revocation{
		ID: "x", Origin: "x", Provider: "main", Reason: session.ReasonRefused, Sealed: []byte("tokens"), EndedAt: now, NotBefore: now,
	}
	want(t, "enqueue", s.Enqueue(ctx, item), nil)
	want(t, "enqueue again", s.Enqueue(ctx, item), nil)
	lease := func(at time.Time) int {
		t.Helper()
		due, err := s.Lease(ctx, at, time.Minute, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(due)
	}
	if n := lease(now.Add(-time.Second)); n != 0 {
		t.Errorf("leased before its time: %d", n)
	}
	if n := lease(now); n != 1 {
		t.Errorf("leased = %d, want 1", n)
	}
	if n := lease(now.Add(59 * time.Second)); n != 0 {
		t.Errorf("leased during the lease: %d", n)
	}
	want(t, "retry", s.Retry(ctx, "x", now.Add(time.Hour), "provider is down"), nil)
	if n := lease(now.Add(2 * time.Minute)); n != 0 {
		t.Errorf("leased before the retry: %d", n)
	}
	items := wantPending(t, s, 1)
	if len(items) == 1 && (items[0].Attempts != 1 || items[0].LastError != "provider is down") {
		t.Errorf("item = %+v", items[0])
	}
	want(t, "done", s.Done(ctx, "x"), nil)
	want(t, "done again", s.Done(ctx, "x"), nil)
	wantPending(t, s, 0)
}

func markedOnce(t *testing.T, s session.Store) {
	marked := func(wanted bool) {
		t.Helper()
		if got, err := s.Marked(ctx, "jti"); got != wanted || err != nil {
			t.Errorf("marked = %v, %v; want %v", got, err, wanted)
		}
	}
	marked(false)
	for _, first := range []bool{true, false} {
		if got, err := s.MarkOnce(ctx, "jti", now.Add(time.Minute)); got != first || err != nil {
			t.Errorf("mark = %v, %v; want %v", got, err, first)
		}
	}
	marked(true)
}

// together runs fn n times at once and counts how often it returned nil; any error but the allowed
// ones fails the test.
func together(t *testing.T, n int, fn func(i int) error, allowed ...error) int {
	t.Helper()
	var (
		wg   sync.WaitGroup
		done atomic.Int32
		gate = make(chan struct{})
	)
	for i := range n {
		wg.Go(func() {
			<-gate
			err := fn(i)
			if err == nil {
				done.Add(1)
			} else if !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	close(gate)
	wg.Wait()
	return int(done.Load())
}

func oneUpdateWins(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	e := load(t, s, "a")
	if n := together(t, 16, func(i int) error {
		mine := e
		mine.Sealed = fmt.Appendf(nil, "writer %d", i)
		return s.Update(ctx, mine)
	}, session.ErrConflict); n != 1 {
		t.Errorf("writers that won = %d, want 1", n)
	}
	if got := load(t, s, "a"); got.Version != 2 {
		t.Errorf("version = %d, want 2", got.Version)
	}
}

func endWins(t *testing.T, s session.Store) {
	for i := range 20 {
		name := fmt.Sprintf("r%d", i)
		create(t, s, entry(name))
		e := load(t, s, name)
		together(t, 2, func(i int) error {
			if i == 0 {
				return s.End(ctx, e.Name, session.ReasonLogout, now)
			}
			mine := e
			mine.Sealed = []byte("renewed")
			return s.Update(ctx, mine)
		}, session.ErrNotFound)
		if _, err := s.Load(ctx, e.Name); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s came back: %v", name, err)
		}
	}
	wantPending(t, s, 20)
}

func oneEndIsHeard(t *testing.T, s session.Store) {
	create(t, s, entry("a"))
	if n := together(t, 16, func(int) error { return s.End(ctx, "a", session.ReasonLogout, now) }, session.ErrNotFound); n != 1 {
		t.Errorf("ends that were heard = %d, want 1", n)
	}
	wantPending(t, s, 1)
}

func leasesShareNothing(t *testing.T, s session.Store) {
	for i := range 40 {
		create(t, s, entry(fmt.Sprintf("s%02d", i)))
		want(t, "end", s.End(ctx, session.Name(fmt.Sprintf("s%02d", i)), session.ReasonLogout, now), nil)
	}
	var mu sync.Mutex // guards seen
	seen := map[string]int{}
	together(t, 8, func(int) error {
		for range 10 {
			due, err := s.Lease(ctx, now, time.Minute, 3)
			if err != nil {
				return err
			}
			mu.Lock()
			for _, r := range due {
				seen[r.ID]++
			}
			mu.Unlock()
		}
		return nil
	})
	if len(seen) != 40 {
		t.Errorf("items leased = %d, want 40", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("item %s was leased %d times", id, n)
		}
	}
}
