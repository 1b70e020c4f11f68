package storetest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

// outboxTests are about the outbox of revocations.
var outboxTests = []test{
	{"ending a record moves it, in its present state, into the outbox", func(b *bench) {
		e := b.create(b.entry())
		e.Sealed = []byte("the newest tokens")
		b.ok("update", b.store.Records.Update(b.ctx, e))
		at := b.now.Add(time.Minute)
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "provider_logout", at))
		due := b.due()
		r, ok := due[e.Name]
		if len(due) != 1 || !ok {
			b.Fatalf("outbox has %d items, want the one of the record", len(due))
		}
		if r.Origin != e.Name || r.Provider != e.Provider ||
			r.Reason != "provider_logout" || !bytes.Equal(r.Sealed, e.Sealed) {
			b.Errorf("item = %+v", r)
		}
		if !r.EndedAt.Equal(at) || r.Attempts != 0 || r.LastError != "" {
			b.Errorf("item ended %v with %d attempts and %q, want %v, none",
				r.EndedAt, r.Attempts, r.LastError, at)
		}
	}},
	{"an ended record is due at once", func(b *bench) {
		e := b.create(b.entry())
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
		if items, err := b.store.Outbox.Lease(b.ctx, b.now, time.Minute, 10); err != nil || len(items) != 1 {
			b.Errorf("leased %d %v, want 1", len(items), err)
		}
	}},
	{"a leased item is leased again only when its lease is over", func(b *bench) {
		b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, b.item("one", b.now)))
		b.leased(b.now, 1)
		b.leased(b.now, 0)
		b.leased(b.now.Add(time.Minute-time.Millisecond), 0)
		b.leased(b.now.Add(time.Minute), 1)
	}},
	{"a lease takes at most limit items, and only those that are due", func(b *bench) {
		for i := range 5 {
			due := b.item(fmt.Sprintf("due-%d", i), b.now.Add(-time.Duration(i)*time.Second))
			b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, due))
		}
		b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, b.item("later", b.now.Add(time.Second))))
		for _, want := range []int{2, 2, 1, 0} {
			items, err := b.store.Outbox.Lease(b.ctx, b.now, time.Hour, 2)
			b.ok("lease", err)
			if len(items) != want {
				b.Errorf("leased %d, want %d", len(items), want)
			}
		}
	}},
	{"a retry postpones an item and records the attempt", func(b *bench) {
		b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, b.item("one", b.now)))
		b.leased(b.now, 1)
		b.ok("retry", b.store.Outbox.Retry(b.ctx, "one", b.now.Add(time.Hour), "provider is down"))
		b.leased(b.now.Add(time.Hour-time.Millisecond), 0)
		b.ok("retry again", b.store.Outbox.Retry(b.ctx, "one", b.now.Add(time.Hour), "provider is still down"))
		items := b.leased(b.now.Add(time.Hour), 1)
		if items[0].Attempts != 2 || items[0].LastError != "provider is still down" {
			b.Errorf("attempts = %d, last error %q, want 2 and the last",
				items[0].Attempts, items[0].LastError)
		}
	}},
	{"an item that is done is gone, and may be done again", func(b *bench) {
		b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, b.item("one", b.now)))
		b.ok("done", b.store.Outbox.Done(b.ctx, "one"))
		b.ok("done again", b.store.Outbox.Done(b.ctx, "one"))
		b.ok("retry what is done", b.store.Outbox.Retry(b.ctx, "one", b.now, "late"))
		if due := b.due(); len(due) != 0 {
			b.Errorf("outbox has %d items, want none", len(due))
		}
	}},
	{"an item is kept as it was enqueued the first time", func(b *bench) {
		want := b.item("one", b.now)
		b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, want))
		again := want
		again.Sealed, again.Reason = []byte("others"), "revoked"
		b.ok("enqueue again", b.store.Outbox.Enqueue(b.ctx, again))
		got := b.leased(b.now, 1)[0]
		if got.ID != want.ID || got.Origin != want.Origin ||
			got.Provider != want.Provider || got.Reason != want.Reason ||
			!bytes.Equal(got.Sealed, want.Sealed) || !got.EndedAt.Equal(want.EndedAt) {
			b.Errorf("item = %+v, want %+v", got, want)
		}
	}},
	{"revocations are listed oldest first, without sealed bytes, with the total", func(b *bench) {
		for i, id := range []string{"second", "third", "first"} {
			r := b.item(id, b.now.Add(time.Hour))
			r.EndedAt = b.now.Add(time.Duration((i+1)%3) * time.Minute)
			b.ok("enqueue", b.store.Outbox.Enqueue(b.ctx, r))
		}
		page, all, err := b.store.Outbox.Revocations(b.ctx, 2)
		b.ok("revocations", err)
		if all != 3 || len(page) != 2 || page[0].ID != "first" || page[1].ID != "second" {
			b.Fatalf("%d of %d shown: %+v, want first and second of 3", len(page), all, page)
		}
		if string(page[0].Head) != "seale" {
			b.Errorf("head = %q, want the first bytes of the sealed part", page[0].Head)
		}
		if page[0].Sealed != nil || page[0].Provider != "main" || page[0].Reason != "refused" {
			b.Errorf("item = %+v, want all fields but the sealed bytes", page[0])
		}
		if leased := b.due()["first"]; len(leased.Sealed) == 0 {
			b.Error("listing an item lost its sealed bytes")
		}
	}},
}

func (b *bench) item(id string, notBefore time.Time) storage.Revocation {
	return storage.Revocation{
		ID: id, Origin: id, Provider: "main", Reason: "refused", Sealed: []byte("sealed " + id),
		EndedAt: b.now, NotBefore: notBefore,
	}
}

// leased leases items for a minute and checks how many it gets.
func (b *bench) leased(at time.Time, want int) []storage.Revocation {
	b.Helper()
	items, err := b.store.Outbox.Lease(b.ctx, at, time.Minute, 10)
	b.ok("lease", err)
	if len(items) != want {
		b.Fatalf("leased %d items, want %d", len(items), want)
	}
	return items
}
