package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

func renew(token string) func(*session.Record) error {
	return func(r *session.Record) error {
		r.RefreshToken = secret.New(token)
		r.Renewals++
		return nil
	}
}

func TestCommitIsReadBack(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	written, err := w.Commit(context.Background(), s, renew("second"))
	if err != nil || written.Version != 2 || !written.Record.RefreshToken.Equal("second") {
		t.Fatalf("commit: %+v %v", written, err)
	}
	if !s.Record.RefreshToken.Equal(refreshToken) {
		t.Error("a commit changed the session that others hold")
	}
	for _, m := range []*world{w, w.another()} { // the cache has no older one
		if read, err := m.FromRequest(with(c)); err != nil || read.Version != 2 || !read.Record.RefreshToken.Equal("second") {
			t.Errorf("read: %+v %v", read, err)
		}
	}
}

// ST6: no update is lost, however stale the session that a writer holds.
func TestConcurrentCommitsAllHappen(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	other := w.another()
	var all sync.WaitGroup
	const writers = 16
	for i := range writers {
		all.Go(func() {
			m := []*world{w, other}[i%2]
			if _, err := m.Commit(context.Background(), s, renew("x")); err != nil {
				t.Errorf("commit: %v", err)
			}
		})
	}
	all.Wait()
	read, err := w.another(noCache).Get(context.Background(), s.Name)
	if err != nil || read.Record.Renewals != writers || read.Version != writers+1 {
		t.Errorf("renewals = %d at version %d, want %d: %v", read.Record.Renewals, read.Version, writers, err)
	}
}

func TestChangeIsAppliedAnewToTheNewestRecord(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	var seen []int
	meddled := false
	_, err := w.Commit(context.Background(), s, func(r *session.Record) error {
		seen = append(seen, r.Renewals)
		if !meddled {
			meddled = true
			if _, err := w.another().Commit(context.Background(), s, renew("theirs")); err != nil {
				t.Fatal(err)
			}
		}
		r.Renewals += 10
		return nil
	})
	if err != nil || len(seen) != 2 || seen[0] != 0 || seen[1] != 1 {
		t.Errorf("change saw %v renewals: %v, want 0, then 1", seen, err)
	}
}

func TestChangeThatDoesNotAgreeWritesNothing(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	writes := w.store.Writes.Load()
	no := errors.New("someone else renewed")
	if _, err := w.Commit(context.Background(), s, func(*session.Record) error { return no }); err != no { // as it is
		t.Errorf("commit: %v, want %v", err, no)
	}
	if n := w.store.Writes.Load() - writes; n != 0 {
		t.Errorf("writes = %d, want 0", n)
	}
}

func TestCommitCanNotMoveWhatASessionIs(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	written, err := w.Commit(context.Background(), s, func(r *session.Record) error {
		r.ID, r.LogoutID, r.Provider = "x", "x", "x"
		r.ExpiresAt = r.ExpiresAt.AddDate(1, 0, 0)
		r.CreatedAt = r.CreatedAt.AddDate(1, 0, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, want := written.Record, s.Record
	sameNames := got.ID == want.ID && got.LogoutID == want.LogoutID && got.Provider == want.Provider
	if !sameNames || !got.ExpiresAt.Equal(want.ExpiresAt) || !got.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("record = %+v, want %+v", got, want)
	}
}

// A commit may bring the end forward, and then the stored record too is one that has run out by
// then.
func TestCommitCanBringTheEndForward(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	sooner := s.Record.CreatedAt.Add(time.Minute)
	written, err := w.Commit(t.Context(), s, func(r *session.Record) error { r.ExpiresAt = sooner; return nil })
	if err != nil || !written.Record.ExpiresAt.Equal(sooner) {
		t.Fatalf("committed: %v, ends at %v, want %v", err, written.Record.ExpiresAt, sooner)
	}
	if e, err := w.store.Load(t.Context(), string(s.Name)); err != nil || !e.ExpiresAt.Equal(sooner) {
		t.Errorf("stored: %v, ends at %v, want %v", err, e.ExpiresAt, sooner)
	}
}

// RN12: a logout wins, before and between. The session stays gone.
func TestCommitNeverBringsASessionBack(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		when string // the store's operation before which the logout comes
	}{{"before the record is read", "load"}, {"between reading and writing", "update"}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s, c := w.start()
			other := w.another()
			var once sync.Once
			w.store.BeforeAny(func(_ context.Context, operation string) error {
				if operation == tt.when {
					once.Do(func() {
						if err := other.End(ctx, s.Name, session.ReasonLogout); err != nil {
							t.Error(err)
						}
					})
				}
				return nil
			})
			if _, err := w.Commit(ctx, s, renew("second")); !errors.Is(err, session.ErrEnded) || errors.Is(err, session.ErrUnavailable) {
				t.Errorf("commit: %v, want %v", err, session.ErrEnded)
			}
			_, err := w.FromRequest(with(c))
			w.wantGone(err)
			if gone := w.outbox(); len(gone) != 1 || !gone[0].RefreshToken.Equal(refreshToken) {
				t.Errorf("outbox = %d records, want the ended one", len(gone))
			}
		})
	}
}

// D4: what is revoked is what was written last.
func TestNewestTokensAreTheOnesRevoked(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	if _, err := w.Commit(context.Background(), s, renew("second")); err != nil {
		t.Fatal(err)
	}
	if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	if gone := w.outbox(); len(gone) != 1 || !gone[0].RefreshToken.Equal("second") {
		t.Errorf("outbox = %+v, want the second token", gone)
	}
}

// ST1: a store that can't write is no end.
func TestFailedCommitIsAnOutage(t *testing.T) {
	for _, operation := range []string{"load", "update"} {
		w := newWorld(t)
		s, _ := w.start()
		w.store.Fail(operation)
		_, err := w.Commit(context.Background(), s, renew("second"))
		wantUnavailable(t, err)
		if !errors.Is(err, storetest.ErrDisk) {
			t.Errorf("the cause is lost: %v", err)
		}
		w.store.BeforeAny(nil)
		if written, err := w.Commit(context.Background(), s, renew("second")); err != nil || written.Version != 2 {
			t.Errorf("when the store is back: %v", err)
		}
	}
}

func TestWriteWithoutEndOfConflictsGivesUp(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	w.store.BeforeAny(func(_ context.Context, operation string) error {
		if operation == "update" {
			return storage.ErrConflict
		}
		return nil
	})
	_, err := w.Commit(context.Background(), s, renew("second"))
	wantUnavailable(t, err)
}

func TestCommitToABrokenRecordEndsTheSession(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	w.alter(string(s.Name), flip(60))
	if _, err := w.Commit(context.Background(), s, renew("second")); !errors.Is(err, session.ErrEnded) {
		t.Errorf("commit: %v, want %v", err, session.ErrEnded)
	}
}
