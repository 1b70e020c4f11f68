package session_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

// Cookies that browsers hold, and records, deposits and revocations that lie in stores, were sealed
// by earlier releases. testdata/sealed.json holds one of each; it is never written again.
func TestWhatWasSealedEarlierOpens(t *testing.T) {
	var e struct {
		Key, Cookie, Name string
		Record            []byte
		Deposit           struct {
			Purpose, Handle, Plain string
			Sealed                 []byte
		}
		Revocation struct {
			ID     string
			Sealed []byte
		}
	}
	text, err := os.ReadFile("testdata/sealed.json")
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Parse(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, under(key))
	ctx, name, now := context.Background(), session.Name(e.Name), time.Now()
	entry := storage.Entry{
		Name: string(name), Version: 1, Sealed: e.Record, Provider: "main", Indices: []string{storage.IndexKey("subject", "main", "alice")},
		CreatedAt: now, ExpiresAt: now.Add(lifetime), LastActive: now, IdleExpires: now.Add(idle),
	}
	if err := w.store.Create(ctx, entry); err != nil {
		t.Fatal(err)
	}
	s, err := w.FromRequest(with(&http.Cookie{Name: cookieName, Value: e.Cookie}))
	if err != nil || s.Name != name || s.Record.Subject != "alice" || !s.Record.RefreshToken.Equal(refreshToken) {
		t.Errorf("the cookie leads to %+v, %v", s, err)
	}
	if err := w.store.Keep(ctx, storage.IndexKey(e.Deposit.Purpose, e.Deposit.Handle), e.Deposit.Sealed, time.Minute); err != nil {
		t.Fatal(err)
	}
	if plain, err := w.Fetch(ctx, e.Deposit.Purpose, e.Deposit.Handle); err != nil || string(plain) != e.Deposit.Plain {
		t.Errorf("the deposit is %q, %v", plain, err)
	}
	rec, err := w.OpenRevocation(storage.Revocation{ID: e.Revocation.ID, Origin: e.Revocation.ID, Sealed: e.Revocation.Sealed})
	if err != nil || !rec.RefreshToken.Equal(refreshToken) {
		t.Errorf("the revocation is %+v, %v", rec, err)
	}
	if err := w.Enqueue(ctx, record(), session.ReasonRefused); err != nil { // the same tokens: the same item
		t.Fatal(err)
	}
	if waiting, _, err := w.store.Revocations(ctx, 10); err != nil || len(waiting) != 1 || waiting[0].ID != e.Revocation.ID {
		t.Errorf("the same tokens wait as %+v, %v, want %s", waiting, err, e.Revocation.ID)
	}
}
