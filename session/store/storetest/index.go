package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// indexTests are about finding records by their index keys, and about listing them.
var indexTests = []test{
	{"records are found by each of their keys, and by no other", func(b *bench) {
		one, two := b.entry(), b.entry()
		one.Indices, two.Indices = []string{"both", "one"}, []string{"both", "two"}
		b.create(one)
		b.create(two)
		for key, want := range map[string][]string{
			"both": {one.Name, two.Name}, "one": {one.Name}, "two": {two.Name}, "none": nil,
		} {
			found, err := b.store.Finder.Find(b.ctx, key)
			b.ok("find", err)
			slices.Sort(found)
			slices.Sort(want)
			if !slices.Equal(found, want) {
				b.Errorf("found under %q: %v, want %v", key, found, want)
			}
		}
	}},
	{"a record that ended is not found any more", func(b *bench) {
		ended, expired := b.create(b.entry()), b.create(b.entry())
		b.ok("end", b.store.Records.End(b.ctx, ended.Name, "logout", b.now))
		_, err := b.store.Records.EndExpired(b.ctx, "expired", expired.ExpiresAt, 10)
		b.ok("end expired", err)
		for _, key := range slices.Concat(ended.Indices, expired.Indices) {
			for n := range slices.Values(find(b, key)) {
				// A store may be late to clean up, but then the record must be gone.
				_, err := b.store.Records.Load(b.ctx, n)
				b.want("load a record that a stale index names", err, storage.ErrNotFound)
			}
		}
	}},
	{"a record needs no index keys", func(b *bench) {
		e := b.entry()
		e.Indices = nil
		b.create(e)
		b.ok("update", b.store.Records.Update(b.ctx, e))
		b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
	}},
	{"a key given twice counts once", func(b *bench) {
		e := b.entry()
		e.Indices = []string{"twice", "twice"}
		b.create(e)
		if found := find(b, "twice"); len(found) != 1 {
			b.Errorf("found %v, want it once", found)
		}
	}},
	{"a listing has all records by name, page by page, without sealed bytes", func(b *bench) {
		want := map[string]storage.Entry{}
		for i := range 7 {
			e := b.entry()
			e.Name = fmt.Sprintf("%c-%s", "Zb_a-0Y"[i], e.Name) // byte order, not the order of letters
			want[e.Name] = b.create(e)
		}
		var after string
		for _, size := range []int{3, 3, 1, 0} {
			page, err := b.store.Finder.List(b.ctx, after, 3)
			b.ok("list", err)
			if len(page) != size {
				b.Fatalf("page after %q has %d records, want %d", after, len(page), size)
			}
			for _, e := range page {
				if e.Name <= after {
					b.Errorf("%q comes after %q", e.Name, after)
				}
				written := want[e.Name]
				if e.Sealed != nil || !bytes.Equal(e.Head, written.Sealed[:keys.HeadSize]) {
					b.Errorf("the listing of %q has %d sealed bytes and the head %q, want none and %q",
						e.Name, len(e.Sealed), e.Head, written.Sealed[:keys.HeadSize])
				}
				written.Sealed = nil
				b.same(e, written)
				delete(want, e.Name)
				after = e.Name
			}
		}
		if len(want) != 0 {
			b.Errorf("not listed: %d records", len(want))
		}
	}},
	{"the count follows creations and ends", func(b *bench) {
		e := b.create(b.entry())
		b.create(b.entry())
		for _, want := range []int{2, 1} {
			if n, err := b.store.Finder.Count(b.ctx); n != want || err != nil {
				b.Errorf("count = %d %v, want %d", n, err, want)
			}
			if want == 2 {
				b.ok("end", b.store.Records.End(b.ctx, e.Name, "logout", b.now))
			}
		}
	}},
}

// find returns the names that are indexed under key.
func find(b *bench, key string) []string {
	b.Helper()
	found, err := b.store.Finder.Find(b.ctx, key)
	b.ok("find", err)
	return found
}
