package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// What scs does at a login and at a logout goes through the same doors as everything else.
func TestSCSStartsAndDestroysInOurStore(t *testing.T) {
	store := &oneRecord{}
	m := overOneRecord(t, store)
	answer := httptest.NewRecorder()
	rec := &Record{Provider: "main", Subject: "alice", AccessToken: secret.New("a")}
	s, err := m.Start(context.Background(), answer, rec, "")
	if err != nil {
		t.Fatal(err)
	}
	held, err := m.signer.verify(answer.Result().Cookies()[0].Value)
	if err != nil || held.name() != s.Name {
		t.Fatalf("ticket of %q: %v, want %q", held.name(), err, s.Name)
	}
	read, err := m.Newest(context.Background(), s.Name)
	if err != nil || read.Record.Subject != "alice" {
		t.Errorf("read %+v, %v, want what was started", read, err)
	}
	if got := store.entry.ExpiresAt; !got.Equal(s.Record.ExpiresAt) {
		t.Errorf("stored until %v, want %v", got, s.Record.ExpiresAt)
	}
	for _, want := range []bool{true, false} {
		first, err := m.Logout(context.Background(), s.Name)
		if err != nil || first != want {
			t.Errorf("logout was the first = %v, %v, want %v", first, err, want)
		}
	}
	if store.reason != ReasonLogout {
		t.Errorf("destroyed for %q, want %q", store.reason, ReasonLogout)
	}
}

// A session that another takes the place of ends last: a store that fails in between costs nobody
// the session.
func TestSCSWritesTheNewSessionBeforeItDeletesTheOld(t *testing.T) {
	store := &oneRecord{}
	m := overOneRecord(t, store)
	if _, err := m.Start(context.Background(), httptest.NewRecorder(), &Record{}, "old"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"create", "end old"}; !slices.Equal(store.asked, want) {
		t.Errorf("asked of the store: %q, want %q", store.asked, want)
	}
}

func TestSCSWritesNothingThatIsNoRecord(t *testing.T) {
	store := &oneRecord{}
	m := overOneRecord(t, store)
	ctx, err := m.scs.Load(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.scs.Commit(ctx); !errors.Is(err, errNoRecord) || store.entry != nil {
		t.Errorf("commit: %v, want %v", err, errNoRecord)
	}
}

// Whoever has scs do something without a Manager's saying what changes nothing.
func TestSCSDoesNothingPastTheManager(t *testing.T) {
	store := &oneRecord{}
	m := overOneRecord(t, store)
	ctx, err := m.scs.Load(context.Background(), known("a"))
	if err != nil {
		t.Fatal(err)
	}
	m.scs.Put(ctx, recordKey, &Record{})
	if _, _, err := m.scs.Commit(ctx); !errors.Is(err, errNoCall) {
		t.Errorf("commit: %v, want %v", err, errNoCall)
	}
	if err := m.scs.Destroy(ctx); !errors.Is(err, errNoCall) {
		t.Errorf("destroy: %v, want %v", err, errNoCall)
	}
	if len(store.asked) != 0 {
		t.Errorf("asked of the store: %q, want nothing", store.asked)
	}
}

// The attributes of cookies are site's: scs writes each of them.
func TestSCSWritesTheCookieThatSiteMakes(t *testing.T) {
	ofSite := func(public string, sameSite http.SameSite) *http.Cookie {
		s := sitetest.New(t, public, site.Options{SameSite: sameSite})
		return s.NewCookie(s.SessionCookie(), "v")
	}
	for what, c := range map[string]*http.Cookie{
		"https": ofSite("https://app.example.com", http.SameSiteStrictMode),
		"http":  ofSite("http://localhost", http.SameSiteLaxMode),
		"every attribute": {
			Name: "n", Value: "v", Domain: "example.com", Path: "/p", HttpOnly: true, Secure: true,
			SameSite: http.SameSiteNoneMode, Partitioned: true,
		},
	} {
		m := &scs.SessionManager{Cookie: scsCookie(c)}
		ctx, err := m.Load(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		m.WriteSessionCookie(ctx, answer, c.Value, time.Now())
		if got := answer.Header().Get("Set-Cookie"); got != c.String() {
			t.Errorf("%s: scs writes %q, want %q", what, got, c)
		}
	}
}

func overOneRecord(t *testing.T, store *oneRecord) *Manager {
	t.Helper()
	m, err := NewManager(Options{
		Store: store.parts(), Keys: keys.NewRing(keys.Key{1}), Lifetime: time.Hour,
		Site: sitetest.New(t, "http://localhost", site.Options{CookieName: "c"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// oneRecord is a store of one record; the stores proper import this package.
type oneRecord struct {
	storage.Records
	entry  *storage.Entry
	reason Reason
	asked  []string // the writes, in their order
}

// parts has nothing behind the other parts, which scs has no use for.
func (s *oneRecord) parts() storage.Store {
	var none struct {
		storage.Finder
		storage.Outbox
		storage.Leases
		storage.Marks
		storage.Connection
	}
	return storage.Store{Records: s, Finder: none, Outbox: none, Leases: none, Marks: none, Connection: none}
}

func (s *oneRecord) Create(_ context.Context, e storage.Entry) error {
	s.asked = append(s.asked, "create")
	s.entry = &e
	return nil
}

func (s *oneRecord) Load(_ context.Context, name string) (storage.Entry, error) {
	if s.entry == nil || s.entry.Name != name {
		return storage.Entry{}, storage.ErrNotFound
	}
	return *s.entry, nil
}

func (s *oneRecord) End(_ context.Context, name, reason string, _ time.Time) error {
	s.asked = append(s.asked, "end "+name)
	if s.entry == nil || s.entry.Name != name {
		return storage.ErrNotFound
	}
	s.entry, s.reason = nil, Reason(reason)
	return nil
}
