// Package storetest is the suite of behaviour tests that every storage.Store passes.
//
// It says by example what the interface's comments say in words: the plain parts one method at a time,
// the contention parts what holds when many call at once, the durability and outage parts what holds
// when the process or the disk goes. It assumes nothing about where a store keeps things or whose clock
// it reads, except that this process's clock is right to a second.
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

// patience bounds one test's calls together. It is no measure of speed.
const patience = time.Minute

// Open returns an empty store that the test may write to. It is closed by whoever opened it, with
// t.Cleanup.
type Open func(t *testing.T) storage.Store

// An Option adds parts that not every store can be put through.
type Option func(*suite)

// Durable adds the part about what survives. reopen closes the store and returns one that finds what
// was written.
func Durable(reopen func(t *testing.T, s storage.Store) storage.Store) Option {
	return func(s *suite) { s.reopen = reopen }
}

// Outage adds the part about a store that can't write. obstruct makes every write fail or hang until
// the function it returns is called.
func Outage(obstruct func(t *testing.T, s storage.Store) (mend func())) Option {
	return func(s *suite) { s.obstruct = obstruct }
}

type suite struct {
	open     Open
	reopen   func(*testing.T, storage.Store) storage.Store
	obstruct func(*testing.T, storage.Store) func()
	another  func(*testing.T, storage.Store) storage.Store
}

// Run puts the store that open returns, a fresh one for each test, through the suite.
func Run(t *testing.T, open Open, options ...Option) {
	s := &suite{open: open}
	for _, o := range options {
		o(s)
	}
	parts := [][]test{recordTests, clockTests, expiryTests, indexTests, outboxTests, markTests, keptTests, leaseTests, contentionTests, orderTests}
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
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			tt.run(&bench{T: t, ctx: ctx, store: s.open(t), now: time.Now().UTC().Truncate(time.Millisecond)})
		})
	}
}

type test struct {
	name string
	run  func(*bench)
}

// A bench is one test at work.
type bench struct {
	*testing.T
	ctx   context.Context
	store storage.Store
	now   time.Time
}

// name is one that no other test uses.
func name() string { return rand.Text() }

// entry is a live record with a life of an hour and an idle time of ten minutes.
func (b *bench) entry() storage.Entry {
	return storage.Entry{
		Name: name(), Version: 1, Sealed: []byte("sealed " + rand.Text()), Provider: "main",
		Indices:   []string{"k-" + rand.Text(), "k-" + rand.Text()},
		CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour), IdleExpires: b.now.Add(10 * time.Minute), LastActive: b.now,
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

// same compares all that a store must keep; Indices may be left out by Load.
func (b *bench) same(got, want storage.Entry) {
	b.Helper()
	if got.Name != want.Name || got.Version != want.Version || got.Provider != want.Provider || !bytes.Equal(got.Sealed, want.Sealed) {
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
	return fmt.Sprintf("%s version %d provider %q with %d bytes", e.Name, e.Version, e.Provider, len(e.Sealed))
}

// due leases everything that can be had far in the future, and returns it by id.
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
