// Package storetest is the suite of behaviour tests that every storage.Store passes.
//
// It tests what the comments of the interfaces promise. The plain parts test one method at a time,
// the contention parts test concurrent callers, and the durability and outage parts test what
// happens when the process or the disk fails. The suite assumes nothing about where a store keeps
// its data. Whatever clock a store reads, it must agree with this process's clock to a second.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// testTime bounds the calls of one test together. It does not measure speed.
const testTime = time.Minute

// Open returns an empty store that the test may write to. It is closed by whoever opened it, with
// t.Cleanup.
type Open func(t *testing.T) storage.Store

// An Option adds parts that are not for every store.
type Option func(*suite)

// Durable adds the part about durability. reopen closes the store and opens it again.
func Durable(reopen func(t *testing.T, s storage.Store) storage.Store) Option {
	return func(s *suite) { s.reopen = reopen }
}

// Outage adds the part about outages. obstruct makes every write fail or hang until the function
// that it returns is called.
func Outage(obstruct func(t *testing.T, s storage.Store) (mend func())) Option {
	return func(s *suite) { s.obstruct = obstruct }
}

type suite struct {
	open     Open
	reopen   func(*testing.T, storage.Store) storage.Store
	obstruct func(*testing.T, storage.Store) func()
	another  func(*testing.T, storage.Store) storage.Store
}

// Run runs the suite. It calls open for each test.
func Run(t *testing.T, open Open, options ...Option) {
	s := &suite{open: open}
	for _, o := range options {
		o(s)
	}
	parts := [][]test{
		recordTests, clockTests, expiryTests, indexTests, outboxTests,
		markTests, keptTests, leaseTests, contentionTests, orderTests,
	}
	if s.reopen != nil {
		parts = append(parts, durabilityTests(s.reopen))
	}
	if s.obstruct != nil {
		parts = append(parts, outageTests(s.obstruct))
	}
	if s.another != nil {
		parts = append(parts, feedTests(s.another))
	}
	for _, tt := range slices.Concat(parts...) {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTime)
			defer cancel()
			now := time.Now().UTC().Truncate(time.Millisecond)
			tt.run(&bench{T: t, ctx: ctx, store: s.open(t), now: now})
		})
	}
}

type test struct {
	name string
	run  func(*bench)
}

// A bench is the environment of one test.
type bench struct {
	*testing.T
	ctx   context.Context
	store storage.Store
	now   time.Time
}

// name returns a name that no other test uses.
func name() string { return rand.Text() }

// entry returns a live record that expires in an hour, or when it is idle for ten minutes.
func (b *bench) entry() storage.Entry {
	return storage.Entry{
		Name: name(), Version: 1, Sealed: []byte("sealed " + rand.Text()), Provider: "main",
		Indices:   []string{"k-" + rand.Text(), "k-" + rand.Text()},
		CreatedAt: b.now, LastActive: b.now,
		ExpiresAt: b.now.Add(time.Hour), IdleExpires: b.now.Add(10 * time.Minute),
	}
}

func (b *bench) create(e storage.Entry) storage.Entry {
	b.Helper()
	b.ok("create", b.store.Records.Create(b.ctx, e))
	return e
}

func (b *bench) load(n string) storage.Entry {
	b.Helper()
	e, err := b.store.Records.Load(b.ctx, n)
	b.ok("load", err)
	return e
}

func (b *bench) ok(act string, err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", act, err)
	}
}

func (b *bench) want(act string, got, want error) {
	b.Helper()
	if !errors.Is(got, want) {
		b.Errorf("%s: got %v, want %v", act, got, want)
	}
}

// same compares everything that a store must keep. It ignores Indices, which Load may leave out.
func (b *bench) same(got, want storage.Entry) {
	b.Helper()
	if got.Name != want.Name || got.Version != want.Version ||
		got.Provider != want.Provider || !bytes.Equal(got.Sealed, want.Sealed) {
		b.Errorf("record = %s, want %s", show(got), show(want))
	}
	for _, times := range []struct {
		name      string
		got, want time.Time
	}{
		{"CreatedAt", got.CreatedAt, want.CreatedAt},
		{"ExpiresAt", got.ExpiresAt, want.ExpiresAt},
		{"IdleExpires", got.IdleExpires, want.IdleExpires},
		{"LastActive", got.LastActive, want.LastActive},
	} {
		if !times.got.Equal(times.want) || times.got.IsZero() != times.want.IsZero() {
			b.Errorf("%s = %v, want %v", times.name, times.got, times.want)
		}
	}
}

func show(e storage.Entry) string {
	return fmt.Sprintf("%s version %d provider %q with %d bytes",
		e.Name, e.Version, e.Provider, len(e.Sealed))
}

// due leases all items that are due within a day, and returns them by id.
func (b *bench) due() map[string]storage.Revocation {
	b.Helper()
	items, err := b.store.Outbox.Lease(b.ctx, b.now.Add(24*time.Hour), time.Minute, 10_000)
	b.ok("lease", err)
	found := make(map[string]storage.Revocation, len(items))
	for _, r := range items {
		found[r.ID] = r
	}
	return found
}
