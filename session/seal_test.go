package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// LG7, SC13: the store is told neither tokens nor who someone is.
func TestStoreHoldsNothingThatCanBeRead(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	e, err := w.store.Behind.Records.Load(context.Background(), string(s.Name))
	if err != nil {
		t.Fatal(err)
	}
	all := string(e.Sealed) + string(e.Name) + strings.Join(e.Indices, " ")
	for _, hidden := range []string{accessToken, refreshToken, idToken, "alice", "sid-1", s.Record.ID, c.Value} {
		if strings.Contains(all, hidden) {
			t.Errorf("the store holds %q", hidden)
		}
	}
	if other, _ := w.start(); bytes.Equal(w.sealed(string(other.Name))[:40], e.Sealed[:40]) {
		t.Error("two records begin alike: key and nonce would meet again")
	}
}

// LG7: a record on another's name does not open, and nobody sees another's session.
func TestSwappedRecordsDoNotOpen(t *testing.T) {
	w := newWorld(t, noCache)
	alice, aliceCookie := w.start()
	bob, bobCookie := w.start(func(r *session.Record) { r.Subject = "bob" })
	blobs := map[session.Name][]byte{alice.Name: w.sealed(string(alice.Name)), bob.Name: w.sealed(string(bob.Name))}
	w.alter(string(alice.Name), func([]byte) []byte { return blobs[bob.Name] })
	w.alter(string(bob.Name), func([]byte) []byte { return blobs[alice.Name] })
	for _, c := range []string{aliceCookie.Value, bobCookie.Value} {
		s, err := w.FromRequest(request(cookieName + "=" + c))
		w.wantGone(err)
		if s != nil {
			t.Errorf("the session of %s was served", s.Record.Subject)
		}
	}
	if n := w.metric("cloakroom_sessions_ended_total", "reason=unreadable"); n != 2 {
		t.Errorf("sessions ended as unreadable = %v, want 2", n)
	}
}

// ST3: one broken record ends one session, with a cause, once; wherever it broke.
func TestBrokenRecordEndsItsSessionAlone(t *testing.T) {
	for what, change := range map[string]func([]byte) []byte{
		"version": flip(0), "key id": flip(2), "salt": flip(10), "ciphertext": flip(60),
		"last byte": func(b []byte) []byte { return flip(len(b) - 1)(b) },
		"cut":       func(b []byte) []byte { return b[:len(b)-7] },
		"short":     func(b []byte) []byte { return b[:3] },
		"empty":     func([]byte) []byte { return nil },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"garbage":   func([]byte) []byte { return bytes.Repeat([]byte("garbage "), 40) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, noCache)
			whole, wholeCookie := w.start()
			broken, c := w.start()
			w.alter(string(broken.Name), change)
			_, err := w.Get(context.Background(), broken.Name)
			w.wantGone(err)
			if !errors.Is(err, keys.ErrUnreadable) {
				t.Errorf("cause = %v, want %v", err, keys.ErrUnreadable)
			}
			_, err = w.FromRequest(with(c))
			w.wantGone(err)
			if n := w.log.Count("level=ERROR"); n != 1 {
				t.Errorf("alerts = %d, want 1", n)
			}
			if s, err := w.FromRequest(with(wholeCookie)); err != nil || s.Name != whole.Name {
				t.Errorf("the other session: %v", err)
			}
		})
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 0x40
		return b
	}
}

// ST3: a wrong key everywhere is an operator's fault. Nobody is logged out for it, and nothing is
// lost.
func TestRecordOfAnUnknownKeyIsAnOutageNotAnEnd(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	wrong := w.another(under(key(9)))
	_, err := wrong.Get(context.Background(), s.Name)
	wantUnavailable(t, err)
	_, err = wrong.Commit(context.Background(), s, func(*session.Record) error { return nil })
	wantUnavailable(t, err)
	_, err = wrong.OfSubject(context.Background(), "main", "alice")
	wantUnavailable(t, err)
	if _, err := w.another().Get(context.Background(), s.Name); err != nil {
		t.Errorf("with the right key again: %v", err)
	}
}

func TestKeysThatOpenNothingAreNoticedAtTheStart(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	if err := w.CheckKeys(ctx); err != nil {
		t.Errorf("an empty store: %v", err)
	}
	s, _ := w.start()
	if err := w.CheckKeys(ctx); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if err := w.another(under(key(2), key(1))).CheckKeys(ctx); err != nil {
		t.Errorf("a rotated key: %v", err)
	}
	wrong := w.another(under(key(9)))
	if err := wrong.CheckKeys(ctx); err == nil || !strings.Contains(err.Error(), "session.keys") {
		t.Errorf("a wrong key: %v, want what to do", err)
	}
	wrong.start()
	if err := wrong.CheckKeys(ctx); err != nil {
		t.Errorf("some of an older key: %v", err)
	}
	w.alter(string(s.Name), flip(60))
	if err := w.CheckKeys(ctx); err == nil { // what is left of a known key is broken; the rest is foreign
		t.Error("nothing opens, and no word of it")
	}
	w.store.Fail("load")
	wantUnavailable(t, w.CheckKeys(ctx))
}

// Every field comes back from the store; one that is added and forgotten in the encoding fails
// here.
func TestWholeRecordComesBackFromTheStore(t *testing.T) {
	w := newWorld(t, noCache)
	at := time.Date(2026, 11, 20, 1, 2, 3, 456e6, time.UTC)
	want := &session.Record{
		Provider: "main", Issuer: "https://id.example.com", Subject: "álice\u2028<&>", SID: "sid", State: "state",
		Claims:   json.RawMessage(`{"sub":"álice","n":1.0,"html":"<b>&","big":12345678901234567890,"null":null}`),
		AuthTime: at.Add(-time.Hour), Scope: "openid email", Granted: "openid email profile", TokenType: "DPoP",
		UserAgent: `Mozilla "5.0"`, RemoteAddr: "192.0.2.0/24",
		AccessToken: secret.New("a"), RefreshToken: secret.New("r"), IDToken: secret.New("i"),
		AccessTokenObtained: at, AccessTokenExpires: at.Add(time.Minute), Renewals: 3, LoginNeeded: at.Add(time.Second),
	}
	started, c := w.start(func(r *session.Record) { *r = *want })
	want.ID, want.LogoutID = started.Record.ID, started.Record.LogoutID
	want.CreatedAt, want.ExpiresAt = started.Record.CreatedAt, started.Record.ExpiresAt
	fields := reflect.ValueOf(*want)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("this test leaves %s out", fields.Type().Field(i).Name)
		}
	}
	read, err := w.FromRequest(with(c))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	for from, got := range map[string]*session.Session{"start": started, "the store": read} {
		if !reflect.DeepEqual(got.Record, want) {
			t.Errorf("record from %s = %+v, want %+v", from, got.Record, want)
		}
	}
	if !reflect.DeepEqual(started, read) {
		t.Errorf("session from start = %+v, from the store %+v", started, read)
	}
}

func TestRecordWithoutTimesAndTokensComesBackSo(t *testing.T) {
	w := newWorld(t, noCache)
	s, _ := w.start(func(r *session.Record) { *r = session.Record{Provider: "main", Subject: "s"} })
	read, err := w.Get(context.Background(), s.Name)
	if err != nil {
		t.Fatal(err)
	}
	noTimes := read.Record.AuthTime.IsZero() && read.Record.AccessTokenExpires.IsZero()
	if !noTimes || !read.Record.RefreshToken.IsZero() || read.Record.Claims != nil {
		t.Errorf("record = %+v", read.Record)
	}
}

// SC9: large ID tokens work, and leave the cookie as it is.
func TestLargeRecordLeavesTheCookieSmall(t *testing.T) {
	w := newWorld(t, noCache)
	_, small := w.start()
	large := strings.Repeat("x", 200<<10)
	s, c := w.start(func(r *session.Record) { r.IDToken = secret.New(large) })
	if len(c.Value) != len(small.Value) {
		t.Errorf("cookie = %d bytes, want %d", len(c.Value), len(small.Value))
	}
	if read, err := w.Get(context.Background(), s.Name); err != nil || !read.Record.IDToken.Equal(large) {
		t.Errorf("read: %v", err)
	}
}
