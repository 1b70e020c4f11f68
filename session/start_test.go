package session_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// A session that goes on under a new ticket has been active just now, however long ago it began.
func TestSessionThatGoesOnIsNotIdle(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *session.Options) { o.Now = func() time.Time { return now } })
	old, _ := w.start()
	w.Touch(t.Context(), old)
	for range 3 {
		now = now.Add(idle / 2)
		if err := w.store.Touch(t.Context(), string(old.Name), now, now.Add(idle)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(staleness)
	rec := record()
	if err := w.Continue(t.Context(), rec, old.Name); err != nil {
		t.Fatalf("continue: %v", err)
	}
	answer := newAnswer()
	s, err := w.Start(t.Context(), answer, rec, old.Name)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	found, err := w.FromRequest(with(cookieOf(t, answer)))
	if err != nil {
		t.Fatalf("the session that goes on: %v", err)
	}
	if !found.LastActive.Equal(s.LastActive) || !found.IdleExpires.Equal(s.IdleExpires) {
		t.Errorf("active %v until %v, want %v until %v", found.LastActive, found.IdleExpires, s.LastActive, s.IdleExpires)
	}
}

// A login says how long a session lasts at most, the lifetime by the replicas' clock bounds it, and
// no further login of a session that goes on puts its end off.
func TestSessionEndsWhenItsFirstLoginSaid(t *testing.T) {
	now := time.Now().Add(3 * time.Hour).UTC().Truncate(time.Millisecond) // not what this machine says
	w := newWorld(t, func(o *session.Options) { o.Now = func() time.Time { return now } })
	for what, tt := range map[string]struct{ asked, want time.Time }{
		"nothing said": {time.Time{}, now.Add(lifetime)},
		"soon":         {now.Add(time.Hour), now.Add(time.Hour)},
		"too late":     {now.Add(2 * lifetime), now.Add(lifetime)},
	} {
		s, _ := w.start(func(r *session.Record) { r.ExpiresAt = tt.asked })
		if !s.Record.ExpiresAt.Equal(tt.want) {
			t.Errorf("%s: ends at %v, want %v", what, s.Record.ExpiresAt, tt.want)
		}
	}
	old, _ := w.start()
	now = now.Add(10 * time.Minute)
	rec := record()
	if err := w.Continue(t.Context(), rec, old.Name); err != nil {
		t.Fatalf("continue: %v", err)
	}
	s, err := w.Start(t.Context(), newAnswer(), rec, old.Name)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	read, err := w.Newest(t.Context(), s.Name)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if !read.Record.ExpiresAt.Equal(old.Record.ExpiresAt) {
		t.Errorf("goes on until %v, want %v", read.Record.ExpiresAt, old.Record.ExpiresAt)
	}
}

// A login, and one that takes the place of a session that the browser has.
func BenchmarkStart(b *testing.B) {
	w := newWorld(b, func(o *session.Options) { o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	ctx := context.Background()
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Start(ctx, newAnswer(), record(), ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replacing", func(b *testing.B) {
		b.ReportAllocs()
		var previous session.Name
		for b.Loop() {
			s, err := w.Start(ctx, newAnswer(), record(), previous)
			if err != nil {
				b.Fatal(err)
			}
			previous = s.Name
		}
	})
}
