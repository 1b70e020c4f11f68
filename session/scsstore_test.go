package session

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// scs asks for more than we use: what it may do with a record's life goes through the same doors.
func TestSCSFindsAndDestroysThroughOurStore(t *testing.T) {
	store := &oneRecord{}
	m, err := NewManager(Options{Store: store, Keys: keys.NewRing(keys.Key{1}), Lifetime: time.Hour, Site: sitetest.New(t, "http://localhost", site.Options{CookieName: "c"})})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	answer := httptest.NewRecorder()
	s, err := m.Start(context.Background(), answer, &Record{Provider: "main", Subject: "alice", AccessToken: secret.New("a")}, "")
	if err != nil {
		t.Fatal(err)
	}
	held, err := m.signer.verify(answer.Result().Cookies()[0].Value)
	if err != nil || held.name() != s.Name {
		t.Fatalf("ticket of %q: %v, want %q", held.name(), err, s.Name)
	}
	ctx, err := m.scs.Load(withReason(context.Background(), ReasonRevoked), held.value)
	if err != nil {
		t.Fatal(err)
	}
	rec, ok := m.scs.Get(ctx, recordKey).(*Record)
	if !ok || rec.Subject != "alice" || !m.scs.Deadline(ctx).Equal(s.Record.ExpiresAt) {
		t.Errorf("scs finds %+v until %v", rec, m.scs.Deadline(ctx))
	}
	if err := m.scs.Destroy(ctx); err != nil || store.reason != ReasonRevoked {
		t.Errorf("destroyed for %q: %v", store.reason, err)
	}
	if ctx, err = m.scs.Load(context.Background(), held.value); err != nil || m.scs.Token(ctx) != "" {
		t.Errorf("scs finds what was destroyed: %v", err)
	}
}

func TestSCSWritesNothingThatIsNoRecord(t *testing.T) {
	store := &oneRecord{}
	m, err := NewManager(Options{Store: store, Keys: keys.NewRing(keys.Key{1}), Lifetime: time.Hour, Site: sitetest.New(t, "http://localhost", site.Options{CookieName: "c"})})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, err := m.scs.Load(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.scs.Commit(ctx); !errors.Is(err, errNoRecord) || store.entry != nil {
		t.Errorf("commit: %v, want %v", err, errNoRecord)
	}
}

// oneRecord is a store of one record; the stores proper import this package.
type oneRecord struct {
	Store
	entry  *Entry
	reason Reason
}

func (s *oneRecord) Create(_ context.Context, e Entry) error {
	s.entry = &e
	return nil
}

func (s *oneRecord) Load(_ context.Context, name Name) (Entry, error) {
	if s.entry == nil || s.entry.Name != name {
		return Entry{}, ErrNotFound
	}
	return *s.entry, nil
}

func (s *oneRecord) End(_ context.Context, name Name, reason Reason, _ time.Time) error {
	if s.entry == nil || s.entry.Name != name {
		return ErrNotFound
	}
	s.entry, s.reason = nil, reason
	return nil
}
