package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// durabilityTests are about what is left when a store is opened again.
func durabilityTests(reopen func(*testing.T, storage.Store) storage.Store) []test {
	return []test{{"what was written is there when the store is opened again", func(b *bench) {
		kept, ended := b.create(b.entry()), b.create(b.entry())
		b.ok("update", b.store.Records.Update(b.ctx, kept))
		b.ok("touch", b.store.Records.Touch(b.ctx, kept.Name, b.now.Add(time.Minute), b.now.Add(time.Hour)))
		b.ok("end", b.store.Records.End(b.ctx, ended.Name, "logout", b.now))
		b.marks("jti", time.Hour, true)

		b.store = reopen(b.T, b.store)
		kept.Version, kept.LastActive, kept.IdleExpires = 2, b.now.Add(time.Minute), b.now.Add(time.Hour)
		b.same(b.load(kept.Name), kept)
		if found := find(b, kept.Indices[0]); len(found) != 1 {
			b.Errorf("found %v, want the record", found)
		}
		if r := b.due()[ended.Name]; !bytes.Equal(r.Sealed, ended.Sealed) {
			b.Errorf("outbox item = %+v, want the ended record", r)
		}
		b.marks("jti", time.Hour, false)
	}}}
}

// outageTests are about a store that can't write. A failure must not look like an answer: "not
// found" would log the user out.
func outageTests(obstruct func(*testing.T, storage.Store) func()) []test {
	return []test{{"a write that can't be done fails in time and has no effect", func(b *bench) {
		e, fresh := b.create(b.entry()), b.entry()
		mend := obstruct(b.T, b.store)
		for act, write := range map[string]func(context.Context) error{
			"create": func(ctx context.Context) error { return b.store.Records.Create(ctx, fresh) },
			"update": func(ctx context.Context) error { return b.store.Records.Update(ctx, e) },
			"touch": func(ctx context.Context) error {
				return b.store.Records.Touch(ctx, e.Name, b.now, b.now.Add(time.Hour))
			},
			"end": func(ctx context.Context) error { return b.store.Records.End(ctx, e.Name, "logout", b.now) },
			"end expired": func(ctx context.Context) error {
				_, err := b.store.Records.EndExpired(ctx, "expired", e.ExpiresAt, 10)
				return err
			},
			"enqueue": func(ctx context.Context) error { return b.store.Outbox.Enqueue(ctx, b.item("one", b.now)) },
			"lease": func(ctx context.Context) error {
				_, err := b.store.Outbox.Lease(ctx, b.now, time.Minute, 10)
				return err
			},
			"mark": func(ctx context.Context) error {
				_, err := b.store.Marks.MarkOnce(ctx, "jti", b.now.Add(time.Hour))
				return err
			},
		} {
			b.fails(act, write)
		}
		mend()
		b.same(b.load(e.Name), e)
		_, err := b.store.Records.Load(b.ctx, fresh.Name)
		b.want("load what could not be created", err, storage.ErrNotFound)
		if due := b.due(); len(due) != 0 {
			b.Errorf("outbox has %d items, want none", len(due))
		}
		b.marks("jti", time.Hour, true)
		b.ok("end, now that it can be", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
	}}}
}

// fails checks that write fails, soon after its context ended, with an error that is not an answer.
func (b *bench) fails(act string, write func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- write(ctx) }()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, storage.ErrNotFound) ||
			errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrExists) {
			b.Errorf("%s during an outage: %v, want an error that is not an answer", act, err)
		}
	case <-time.After(20 * time.Second):
		b.Fatalf("%s hangs though its context has ended", act)
	}
}
