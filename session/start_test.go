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
