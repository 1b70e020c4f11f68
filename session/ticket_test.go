package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// SC1, SC2, SC3, SC9, SC13: what a client receives at login.
func TestLoginSetsOneOpaqueCookieAndNoStore(t *testing.T) {
	w := newWorld(t)
	answer := httptest.NewRecorder()
	answer.Header().Set("Cache-Control", "private")
	s, err := w.Start(context.Background(), answer, record(), "")
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	c := cookieOf(t, answer)
	if c.Name != cookieName || c.Path != "/" || c.Domain != "" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie = %q", c.Raw)
	}
	if c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("cookie outlives the browser: %q", c.Raw)
	}
	if got := answer.Result().Header.Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store alone", got)
	}
	if len(c.Value) > 200 {
		t.Errorf("cookie has %d bytes", len(c.Value))
	}
	plain, _ := base64.URLEncoding.DecodeString(c.Value)
	for _, hidden := range []string{s.Record.ID, s.Record.LogoutID, string(s.Name), "alice", accessToken} {
		if strings.Contains(c.Value, hidden) || strings.Contains(string(plain), hidden) {
			t.Errorf("the cookie tells %q", hidden)
		}
	}
}

// SC10: a deletion with other attributes is ignored by browsers.
func TestClearingTheCookieUsesTheAttributesItWasSetWith(t *testing.T) {
	for _, public := range []string{publicURL, "http://localhost"} {
		w := newWorld(t, func(o *session.Options) { o.Site = sitetest.New(t, public, site.Options{}) })
		_, set := w.start()
		answer := httptest.NewRecorder()
		w.ClearCookie(answer)
		c := cookieOf(t, answer)
		sameName := c.Name == set.Name && c.Path == set.Path && c.Domain == ""
		if !sameName || c.Secure != set.Secure || c.HttpOnly != set.HttpOnly || c.SameSite != set.SameSite {
			t.Errorf("cleared with %q, set with %q", c.Raw, set.Raw)
		}
		if c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("deletion = %q", c.Raw)
		}
		if got := answer.Result().Header.Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
			t.Errorf("Cache-Control = %q, want no-store alone", got)
		}
	}
}

// SC5: fixation. What the browser brought along is never adopted, and ends.
func TestEveryLoginHasANewTicketAndEndsTheOldSession(t *testing.T) {
	w := newWorld(t)
	old, planted := w.start()
	r := with(planted)
	answer := httptest.NewRecorder()
	s, err := w.Start(r.Context(), answer, record(), w.NameFromRequest(r))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	fresh := cookieOf(t, answer)
	if fresh.Value == planted.Value || s.Name == old.Name || s.Record.ID == old.Record.ID || s.Record.LogoutID == old.Record.LogoutID {
		t.Error("the new session shares something with the planted one")
	}
	_, err = w.FromRequest(with(planted))
	w.wantGone(err)
	if _, err := w.FromRequest(with(fresh)); err != nil {
		t.Errorf("the new session: %v", err)
	}
	if n := w.metric("cloakroom_sessions_ended_total", "reason=replaced"); n != 1 {
		t.Errorf("sessions replaced = %v, want 1", n)
	}
}

// ST4: what is not signed is found out without the store.
func TestForgedCookiesCostNoStoreRead(t *testing.T) {
	w := newWorld(t)
	_, c := w.start()
	foreign := newWorld(t, under(key(9)))
	_, theirs := foreign.start() // SC14: another instance's cookie
	loads := w.store.Loads.Load()
	for _, value := range forgeries(c.Value, theirs.Value) {
		_, err := w.FromRequest(request(cookieName + "=" + value))
		if err != session.ErrNoSession { // LG8: the very same answer, whatever is wrong
			t.Errorf("%q: %v, want %v itself", value, err, session.ErrNoSession)
		}
		if n := w.NameFromRequest(request(cookieName + "=" + value)); n != "" {
			t.Errorf("%q has the name %q", value, n)
		}
	}
	if n := w.store.Loads.Load() - loads; n != 0 {
		t.Errorf("store reads = %d, want 0", n)
	}
}

// forgeries are values that must not pass for good: good with any byte altered, among others.
func forgeries(good, foreign string) []string {
	values := []string{
		"", "x", foreign, good + "=", good + "\n", good[1:], good[:len(good)-1], `"` + good + `"`, " " + good, strings.Repeat("A", 5000),
		good + good, strings.ToLower(good), strings.TrimRight(good, "="),
	}
	for i := range good {
		for _, c := range []byte("A_-9=\n") {
			if good[i] != c {
				values = append(values, good[:i]+string(c)+good[i+1:])
			}
		}
		values = append(values, good[:i]+"\n"+good[i:])
	}
	return values
}

// LG8: unknown id, bad MAC and bad version are one answer; SC16: no public handle is a ticket.
func TestWhatIsNoTicketIsAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	for what, value := range map[string]string{
		"ended": c.Value, "public id": s.Record.ID, "logout id": s.Record.LogoutID, "name": string(s.Name),
	} {
		if _, err := w.FromRequest(request(cookieName + "=" + value)); err != session.ErrNoSession { // the same
			t.Errorf("%s: %v, want %v itself", what, err, session.ErrNoSession)
		}
	}
	for _, r := range []*http.Request{request(), request(""), httptest.NewRequest(http.MethodGet, "/?"+cookieName+"="+c.Value, nil)} {
		if _, err := w.FromRequest(r); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("without a cookie: %v", err)
		}
	}
}

// ST4: a well-signed ticket of a session long gone does not cost a read each time.
func TestTicketOfAGoneSessionCostsOneReadInAWhile(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	behind := w.store.Behind.Records // another process ends it
	if err := behind.End(context.Background(), string(s.Name), string(session.ReasonLogout), s.LastActive); err != nil {
		t.Fatal(err)
	}
	loads := w.store.Loads.Load()
	for range 100 {
		_, err := w.FromRequest(with(c))
		w.wantGone(err)
	}
	if n := w.store.Loads.Load() - loads; n != 1 {
		t.Errorf("store reads = %d, want 1", n)
	}
}

func TestCookiesAndRecordsOfAnOlderKeyStillOpen(t *testing.T) {
	older := newWorld(t, under(key(1)))
	s, c := older.start()
	rotated := older.another(under(key(2), key(1)))
	found, err := rotated.FromRequest(with(c))
	if err != nil || found.Record.Subject != "alice" {
		t.Fatalf("after a rotation: %v", err)
	}
	// LG7: the record is sealed anew when it is next written.
	if _, err := rotated.Commit(context.Background(), found, func(*session.Record) error { return nil }); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if _, err := older.another(under(key(2))).Get(context.Background(), s.Name); err != nil {
		t.Errorf("with the new key alone: %v", err)
	}
	if _, err := rotated.FromRequest(with(c)); err != nil {
		t.Errorf("the older cookie: %v", err)
	}
	_, fresh := rotated.start()
	if _, err := older.another(under(key(2))).FromRequest(with(fresh)); err != nil {
		t.Errorf("a cookie of the new key: %v", err)
	}
	_, err = older.FromRequest(with(fresh))
	older.wantGone(err)
}

// FuzzTicket: whatever a Cookie header says, only the one value that was signed leads to a session,
// and nothing else costs a look into the store. VALUE stands for that value, which each fuzzing
// process has its own of.
func FuzzTicket(f *testing.F) {
	w := newWorld(f, noCache)
	s, c := w.start()
	const good = cookieName + "=VALUE"
	for _, seed := range []string{
		good, "a=b; " + good, good + "; " + good, "=" + good, " \t" + good, "\u2003" + good, cookieName + `="VALUE"`,
		"$Version=1; " + good, good + "=", good + "A", cookieName, cookieName + "=", ";;;=;", "\xff\xfe" + good, good + "\r\n",
		cookieName + "=" + c.Value[:60], cookieName + "=" + strings.Repeat("A", 140), cookieName + "=MTc5NTIyMjM0NnxBUT09fA==",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		header = strings.ReplaceAll(header, "VALUE", c.Value)
		loads := w.store.Loads.Load()
		found, err := w.FromRequest(request(header))
		reads := w.store.Loads.Load() - loads
		if err == nil && (found.Name != s.Name || !strings.Contains(header, cookieName+"="+c.Value)) {
			t.Errorf("%q leads to the session %s", header, found.Name)
		}
		if err != nil && (!errors.Is(err, session.ErrNoSession) || reads != 0) {
			t.Errorf("%q: %v after %d store reads", header, err, reads)
		}
	})
}
