package session_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func TestSessionsAreFoundByUserSIDAndID(t *testing.T) {
	w := newWorld(t)
	one, _ := w.start()
	two, _ := w.start(func(r *session.Record) { r.SID = "sid-2" })
	elsewhere, _ := w.start(func(r *session.Record) { r.Provider = "other" }) // the same sub at another provider is another user
	none, _ := w.start(func(r *session.Record) { r.SID, r.Subject = "", "bob" })
	ended, _ := w.start()
	if err := w.End(context.Background(), ended.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	type find = func(context.Context) ([]*session.Session, error)
	subject := func(provider, subject string) find {
		return func(ctx context.Context) ([]*session.Session, error) { return w.OfSubject(ctx, provider, subject) }
	}
	sid := func(provider, sid string) find {
		return func(ctx context.Context) ([]*session.Session, error) {
			return w.OfSID(ctx, provider, "https://id.example.com", sid)
		}
	}
	id := func(id string) find {
		return func(ctx context.Context) ([]*session.Session, error) { return w.OfID(ctx, id) }
	}
	for what, tt := range map[string]struct {
		find find
		want []session.Name
	}{
		"user":          {subject("main", "alice"), []session.Name{one.Name, two.Name}},
		"sid":           {sid("main", "sid-2"), []session.Name{two.Name}},
		"other user":    {subject("other", "alice"), []session.Name{elsewhere.Name}},
		"id":            {id(none.Record.ID), []session.Name{none.Name}},
		"empty sid":     {sid("main", ""), nil},
		"ended":         {id(ended.Record.ID), nil},
		"nobody's user": {subject("main", "mallory"), nil},
	} {
		found, err := tt.find(context.Background())
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := names(found); !slices.Equal(got, sorted(tt.want)) {
			t.Errorf("%s: found %v, want %v", what, got, tt.want)
		}
	}
}

func TestListGoesThroughAllPageByPageAndSkipsTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 3 {
			w.start()
		}
		time.Sleep(idle / 2)
		var want []session.Name
		for range 6 {
			s, _ := w.start()
			want = append(want, s.Name)
		}
		time.Sleep(idle / 2) // the first three have run out, and are not swept
		var all []*session.Session
		pages := 0
		for next := session.Name(""); pages == 0 || next != ""; pages++ {
			page, more, err := w.List(t.Context(), next, 4)
			if err != nil || len(page) > 4 || pages > 3 {
				t.Fatalf("page %d has %d sessions: %v", pages, len(page), err)
			}
			all, next = append(all, page...), more
		}
		if got := names(all); !slices.Equal(got, sorted(want)) {
			t.Errorf("listed %v, want %v", got, want)
		}
	})
}

func names(found []*session.Session) []session.Name {
	all := make([]session.Name, 0, len(found))
	for _, s := range found {
		all = append(all, s.Name)
	}
	return sorted(all)
}

func sorted(n []session.Name) []session.Name {
	n = append([]session.Name{}, n...)
	slices.Sort(n)
	return n
}

func TestMetricsCountSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		w.start(func(r *session.Record) { r.Provider = "other" })
		if n := w.metric("cloakroom_sessions"); n != 2 {
			t.Errorf("sessions = %v, want 2", n)
		}
		if _, err := w.Commit(t.Context(), s, renew("x")); err != nil {
			t.Fatal(err)
		}
		if err := w.End(t.Context(), s.Name, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		if n := w.metric("cloakroom_sessions"); n != 2 {
			t.Errorf("sessions were counted anew for each look: %v", n)
		}
		time.Sleep(15 * time.Second)
		for name, want := range map[string]float64{
			"cloakroom_sessions": 1, "cloakroom_sessions_started_total": 1, "cloakroom_sessions_ended_unrenewed_total": 0,
		} {
			if n := w.metric(name); n != want {
				t.Errorf("%s = %v, want %v", name, n, want)
			}
		}
		w.store.Fail("count")
		time.Sleep(15 * time.Second)
		if n := w.metric("cloakroom_sessions"); !math.IsNaN(n) {
			t.Errorf("sessions in an outage = %v, want no number", n)
		}
	})
}

func TestOptionsThatCanNotWorkAreRefused(t *testing.T) {
	for what, change := range map[string]func(*session.Options){
		"no store":           func(o *session.Options) { o.Store = storage.Store{} },
		"no outbox":          func(o *session.Options) { o.Store.Outbox = nil },
		"no key":             func(o *session.Options) { o.Keys = nil },
		"no lifetime":        func(o *session.Options) { o.Lifetime = 0 },
		"negative idle time": func(o *session.Options) { o.IdleTimeout = -1 },
		"no public address":  func(o *session.Options) { o.Site = nil },
	} {
		o := session.Options{
			Store: newWorld(t).store.Parts(), Keys: keys.NewRing(key(1)), Lifetime: lifetime,
			Site: sitetest.New(t, publicURL, site.Options{}),
		}
		change(&o)
		if _, err := session.NewManager(o); err == nil {
			t.Errorf("%s: it was taken", what)
		}
	}
}

func TestPingTellsAnOutage(t *testing.T) {
	w := newWorld(t)
	if err := w.Ping(context.Background()); err != nil {
		t.Errorf("ping: %v", err)
	}
	w.store.Fail("ping")
	wantUnavailable(t, w.Ping(context.Background()))
}

func TestUnavailableIsMarkedOnce(t *testing.T) {
	if err := session.Unavailable(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	once := session.Unavailable(storetest.ErrDisk)
	if !errors.Is(once, storetest.ErrDisk) || session.Unavailable(once) != once { // the very same
		t.Errorf("marked: %v", once)
	}
}

// BenchmarkFromRequestCached is what each request of a hot session pays to be known.
func BenchmarkFromRequestCached(b *testing.B) {
	w := newWorld(b, func(o *session.Options) { o.MaxStaleness = time.Hour })
	_, c := w.start()
	r := request("theme=dark; " + c.Name + "=" + c.Value)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.FromRequest(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFromRequestForged is what a stranger's request costs.
func BenchmarkFromRequestForged(b *testing.B) {
	w := newWorld(b)
	_, c := w.start()
	r := request(c.Name + "=" + c.Value[:20] + "AAAA" + c.Value[24:])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.FromRequest(r); err == nil {
			b.Fatal("a forged cookie passed")
		}
	}
}

// BenchmarkFromRequestRead is the same for a session that is not in the cache: a read from memory
// and the opening of its record.
func BenchmarkFromRequestRead(b *testing.B) {
	w := newWorld(b, noCache)
	_, c := w.start()
	r := with(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.FromRequest(r); err != nil {
			b.Fatal(err)
		}
	}
}
