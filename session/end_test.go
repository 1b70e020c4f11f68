package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

// D4: whatever ends a session, all hear of it once.
func TestEndIsAnnouncedOnceHoweverManyAskForIt(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	if _, err := w.FromRequest(with(c)); err != nil {
		t.Fatal(err)
	}
	events, stop := w.Subscribe(s.Name)
	defer stop()
	var told atomic.Int32
	w.Attach(s.Name, func(reason session.Reason) {
		if reason == session.ReasonRevoked {
			told.Add(1)
		}
	})
	detach := w.Attach(s.Name, func(session.Reason) { t.Error("who left is told") })
	detach()
	detach() // twice is once
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := w.End(context.Background(), s.Name, session.ReasonRevoked); err != nil {
				t.Errorf("end: %v", err)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("callbacks = %d, want 1", told.Load())
	}
	if e := <-events; e.Session != nil || e.Reason != session.ReasonRevoked {
		t.Errorf("event = %+v", e)
	}
	if _, open := <-events; open {
		t.Error("something comes after the end")
	}
	if n := w.metric("cloakroom_sessions_ended_total", "reason=revoked"); n != 1 {
		t.Errorf("counted = %v, want 1", n)
	}
	if n := w.metric("cloakroom_sessions_ended_unrenewed_total", "provider=main"); n != 1 {
		t.Errorf("counted as never renewed = %v, want 1", n)
	}
	if n := w.log.Count("session ended"); n != 1 {
		t.Errorf("audit lines = %d, want 1", n)
	}
	if line := w.log.String(); !strings.Contains(line, "reason=revoked session="+s.Record.ID+" provider=main") {
		t.Errorf("audit line = %s", line)
	}
	_, err := w.FromRequest(with(c))
	w.wantGone(err)
}

// LG1: neither tokens nor tickets nor names are logged.
func TestLogTellsNoSecret(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	broken, _ := w.start()
	w.alter(string(broken.Name), flip(60))
	_, _ = w.Get(context.Background(), broken.Name)
	_, _ = w.Commit(context.Background(), s, renew("the-second-token"))
	w.store.Fail("end")
	_ = w.End(context.Background(), s.Name, session.ReasonLogout)
	w.store.BeforeAny(nil)
	_ = w.End(context.Background(), s.Name, session.ReasonLogout)
	if w.log.Count("\n") < 4 {
		t.Fatalf("log = %s", w.log)
	}
	for _, hidden := range []string{
		accessToken, refreshToken, idToken, "the-second-token", c.Value, string(s.Name), s.Record.LogoutID, "alice",
	} {
		if strings.Contains(w.log.String(), hidden) {
			t.Errorf("the log tells %q: %s", hidden, w.log)
		}
	}
}

// ST2: an end that could not be done is not said to be.
// An end that a fail-over may undo is told to everybody, once, and is no success.
func TestEndThatNoReplicaHasIsAnEndAllTheSame(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	told := 0
	w.Attach(s.Name, func(session.Reason) { told++ })
	w.store.BeforeAny(func(ctx context.Context, operation string) error {
		if operation != "end" {
			return nil
		}
		if err := w.store.Behind.Records.End(ctx, string(s.Name), string(session.ReasonLogout), time.Now()); err != nil {
			return err
		}
		return storage.ErrUnconfirmed
	})
	for range 2 {
		_ = w.End(context.Background(), s.Name, session.ReasonLogout)
	}
	if _, err := w.FromRequest(with(c)); !errors.Is(err, session.ErrNoSession) || told != 1 {
		t.Errorf("the session is %v; told of its end %d times, want once", err, told)
	}
	other, _ := w.start()
	w.store.BeforeAny(func(context.Context, string) error { return storage.ErrUnconfirmed })
	wantUnavailable(t, w.End(context.Background(), other.Name, session.ReasonLogout))
}

func TestFailedEndIsNoEnd(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	told := false
	w.Attach(s.Name, func(session.Reason) { told = true })
	w.store.Fail("end")
	wantUnavailable(t, w.End(context.Background(), s.Name, session.ReasonLogout))
	if _, err := w.FromRequest(with(c)); err != nil || told {
		t.Errorf("the session is still there: %v; told of an end: %v", err, told)
	}
	w.store.BeforeAny(nil)
	if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil || !told {
		t.Errorf("when the store is back: %v; told: %v", err, told)
	}
}

func TestEndGoesOnWhenTheCallerHangsUp(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.End(ctx, s.Name, session.ReasonLogout); err != nil {
		t.Errorf("end: %v", err)
	}
	_, err := w.FromRequest(with(c))
	w.wantGone(err)
}

func TestEndWaitsNoLongerThanTheCallerGaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		w.store.BeforeAny(func(ctx context.Context, operation string) error {
			if operation == "end" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		for limit, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			began := time.Now()
			wantUnavailable(t, w.End(ctx, s.Name, session.ReasonLogout))
			if took := time.Since(began); took != want {
				t.Errorf("with %v to go it took %v, want %v", limit, took, want)
			}
			cancel()
		}
	})
}

func TestEndOfNothingIsNoError(t *testing.T) {
	w := newWorld(t)
	for _, name := range []session.Name{"", "no-such-session"} {
		if err := w.End(context.Background(), name, session.ReasonLogout); err != nil {
			t.Errorf("end %q: %v", name, err)
		}
	}
	if n := w.log.Count("session ended"); n != 0 {
		t.Errorf("audit lines = %d, want none", n)
	}
}

// A login whose predecessor can't be ended is a login all the same.
func TestLoginStandsWhenTheOldSessionCanNotBeEnded(t *testing.T) {
	w := newWorld(t)
	old, _ := w.start()
	w.store.Fail("end")
	answer := newAnswer()
	if _, err := w.Start(context.Background(), answer, record(), old.Name); err != nil {
		t.Fatalf("start: %v", err)
	}
	cookieOf(t, answer)
	if n := w.log.Count("level=WARN"); n != 1 {
		t.Errorf("warnings = %d, want 1", n)
	}
}

// SC4: a login that could not be written leaves nothing in the browser, and the old session as it
// was.
func TestLoginThatCanNotBeWrittenSetsNoCookie(t *testing.T) {
	w := newWorld(t)
	old, oldCookie := w.start()
	w.store.Fail("create")
	answer := newAnswer()
	_, err := w.Start(context.Background(), answer, record(), old.Name)
	wantUnavailable(t, err)
	if set := answer.Result().Header.Values("Set-Cookie"); len(set) != 0 {
		t.Errorf("cookies set = %q, want none", set)
	}
	w.store.BeforeAny(nil)
	if _, err := w.FromRequest(with(oldCookie)); err != nil {
		t.Errorf("the old session: %v", err)
	}
}

// SC12: limits hold on the server, whether or not the sweeper came by, and an expired session is
// told from none at all.
func TestWhatRanOutIsExpiredSweptOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.start()
		if _, err := w.FromRequest(with(c)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idle)
		expired := func(when string, m *world) {
			t.Helper()
			if _, err := m.FromRequest(with(c)); !errors.Is(err, session.ErrSessionExpired) || errors.Is(err, session.ErrNoSession) {
				t.Errorf("%s: %v, want %v", when, err, session.ErrSessionExpired)
			}
		}
		expired("before the sweep", w)
		events, stop := w.Subscribe(s.Name)
		defer stop()
		other := w.another()
		if n, err := w.EndExpired(t.Context(), 10); n != 1 || err != nil {
			t.Fatalf("swept %d %v, want 1", n, err)
		}
		if e := <-events; e.Session != nil || e.Reason != session.ReasonExpired {
			t.Errorf("event = %+v", e)
		}
		expired("after the sweep", w)
		expired("in a process that knows only the cookie's age", other)
		if _, err := w.Get(t.Context(), s.Name); !errors.Is(err, session.ErrSessionExpired) {
			t.Errorf("get: %v, want %v", err, session.ErrSessionExpired)
		}
		if gone := w.outbox(); len(gone) != 1 || !gone[0].RefreshToken.Equal(refreshToken) {
			t.Errorf("outbox = %d records, want its tokens", len(gone))
		}
		if w.log.Count("session="+s.Record.ID) != 2 {
			t.Errorf("the audit does not say whose session expired: %s", w.log)
		}
	})
}

func TestWhatWasEndedIsNotExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.start()
		if err := w.End(t.Context(), s.Name, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		other := w.another()
		_, err := other.FromRequest(with(c)) // too young to have run out
		other.wantGone(err)
		time.Sleep(idle + time.Second)
		_, err = w.FromRequest(with(c)) // old enough, but we know
		w.wantGone(err)
	})
}

func TestSubscriberHearsTheNewestAndNobodyWaits(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	events, stop := w.Subscribe(s.Name)
	defer stop()
	slow, stopSlow := w.Subscribe(s.Name)
	for i := range 5 {
		if _, err := w.Commit(context.Background(), s, renew("x")); err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Session == nil || e.Session.Record.Renewals != i+1 {
			t.Errorf("event %d = %+v", i, e)
		}
	}
	if e := <-slow; e.Session == nil || e.Session.Record.Renewals != 5 {
		t.Errorf("the slow one hears %+v, want the newest", e)
	}
	stopSlow()
	stopSlow() // twice is once
	if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Session != nil || e.Reason == "" {
		t.Errorf("event = %+v, want the end", e)
	}
	select {
	case e := <-slow:
		t.Errorf("who left hears %+v", e)
	default:
	}
}

func TestEndIsHeardEvenIfAChangeWasNotFetched(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	events, stop := w.Subscribe(s.Name)
	defer stop()
	if _, err := w.Commit(context.Background(), s, renew("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.End(context.Background(), s.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Session != nil || e.Reason != session.ReasonLogout {
		t.Errorf("event = %+v, want the end", e)
	}
}

func TestActivityIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := w.start()
		events, stop := w.Subscribe(s.Name)
		defer stop()
		time.Sleep(idle / 2)
		w.use(s.Name)
		if e := <-events; e.Session == nil || !e.Session.IdleExpires.After(s.IdleExpires) {
			t.Errorf("event = %+v", e)
		}
	})
}

// RN12: tokens that no record holds are revoked as well.
func TestTokensThatNoRecordHoldsWaitInTheOutboxOnce(t *testing.T) {
	w := newWorld(t)
	orphan := record()
	for range 3 { // the answer to the first may have been lost
		if err := w.Enqueue(context.Background(), orphan, session.ReasonRefused); err != nil {
			t.Fatalf("enqueue: %v", err)
		}
	}
	other := record()
	other.RefreshToken = secret.New("another")
	if err := w.Enqueue(context.Background(), other, session.ReasonRefused); err != nil {
		t.Fatal(err)
	}
	if gone := w.outbox(); len(gone) != 2 {
		t.Errorf("outbox = %d items, want 2", len(gone))
	}
	w.store.Fail("enqueue")
	wantUnavailable(t, w.Enqueue(context.Background(), orphan, session.ReasonRefused))
}

// LG7: the outbox is sealed like records are.
func TestOutboxOpensUnderItsOwnNameAndKeyAlone(t *testing.T) {
	w := newWorld(t)
	if err := w.Enqueue(context.Background(), record(), session.ReasonRefused); err != nil {
		t.Fatal(err)
	}
	items, err := w.store.Lease(context.Background(), time.Now().Add(time.Hour), time.Minute, 1)
	if err != nil || len(items) != 1 {
		t.Fatalf("lease: %d %v", len(items), err)
	}
	item := items[0]
	if strings.Contains(string(item.Sealed)+item.ID, refreshToken) {
		t.Error("the outbox can be read")
	}
	if _, err := newWorld(t, under(key(9))).OpenRevocation(item); err == nil || errors.Is(err, keys.ErrUnreadable) {
		t.Errorf("with another key: %v", err)
	}
	item.Origin = "another"
	if _, err := w.OpenRevocation(item); !errors.Is(err, keys.ErrUnreadable) {
		t.Errorf("under another name: %v, want %v", err, keys.ErrUnreadable)
	}
}

// A silent or a stronger login has a session go on under a new ticket. A logout in the moment
// between its look at the session and the new record wins; another tab that did the same as this
// one is no logout.
func TestSessionThatIsEndedWhileItGoesOnStaysEnded(t *testing.T) {
	for reason, want := range map[session.Reason]error{
		session.ReasonLogout: session.ErrEnded, session.ReasonProviderLogout: session.ErrEnded, session.ReasonContinued: nil,
	} {
		t.Run(string(reason), func(t *testing.T) {
			w := newWorld(t)
			s, _ := w.start()
			rec := record()
			if err := w.Continue(t.Context(), rec, s.Name); err != nil {
				t.Fatal(err)
			}
			w.store.BeforeAny(func(ctx context.Context, operation string) error {
				if operation == "create" {
					w.store.BeforeAny(nil)
					if err := w.End(ctx, s.Name, reason); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			answer := httptest.NewRecorder()
			answer.Header().Set("Set-Cookie", "another=1")
			_, err := w.Start(t.Context(), answer, rec, s.Name)
			if !errors.Is(err, want) {
				t.Fatalf("start: %v, want %v", err, want)
			}
			if want == nil {
				return
			}
			if got := answer.Header()["Set-Cookie"]; len(got) != 1 || got[0] != "another=1" {
				t.Errorf("Set-Cookie = %q, want that of others alone", got)
			}
			if n, err := w.store.Count(t.Context()); err != nil || n != 0 {
				t.Errorf("sessions = %d, %v, want none", n, err)
			}
		})
	}
}
