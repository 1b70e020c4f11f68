package storetest

import "time"

// markTests are about marks, which above all remember the jti of logout tokens.
var markTests = []test{
	{"a mark is new once", func(b *bench) {
		b.marks("jti", time.Hour, true)
		b.marks("jti", time.Hour, false)
		b.marks("other", time.Hour, true)
	}},
	{"asking for a mark does not set it", func(b *bench) {
		for range 2 {
			if marked, err := b.store.Marks.Marked(b.ctx, "jti"); marked || err != nil {
				b.Errorf("marked = %v %v before it was", marked, err)
			}
		}
		b.marks("jti", time.Hour, true)
		if marked, err := b.store.Marks.Marked(b.ctx, "jti"); !marked || err != nil {
			b.Errorf("marked = %v %v after it was", marked, err)
		}
	}},
	{"a mark expires", func(b *bench) {
		b.marks("jti", -time.Second, true)
		if marked, err := b.store.Marks.Marked(b.ctx, "jti"); marked || err != nil {
			b.Errorf("marked = %v %v after its time", marked, err)
		}
		b.marks("jti", time.Hour, true)
		b.marks("jti", time.Hour, false)
	}},
	{"sweeping keeps marks that have not expired", func(b *bench) {
		b.marks("jti", time.Hour, true)
		if _, err := b.store.Records.EndExpired(b.ctx, "expired", b.now, 10); err != nil {
			b.Fatalf("end expired: %v", err)
		}
		b.marks("jti", time.Hour, false)
	}},
}

func (b *bench) marks(key string, life time.Duration, want bool) {
	b.Helper()
	fresh, err := b.store.Marks.MarkOnce(b.ctx, key, time.Now().Add(life))
	b.ok("mark", err)
	if fresh != want {
		b.Errorf("mark of %q is new = %v, want %v", key, fresh, want)
	}
}
