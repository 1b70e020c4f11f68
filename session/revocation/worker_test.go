package revocation_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/clock"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// TestProviderDownForAnHourIsToldInTheEnd (RV4): no logout waits for it, nothing is lost, and it is
// not trampled meanwhile.
func TestProviderDownForAnHourIsToldInTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		worker := w.run()
		var sessions []*session.Session
		for range 20 {
			sessions = append(sessions, w.login("main"))
		}
		up := w.main.SetDown()
		before := w.main.Count(odd.Revocation)
		for _, s := range sessions {
			w.end(s, session.ReasonLogout)
			worker.Wake()
		}
		time.Sleep(time.Hour)
		w.wantPending(20)
		w.wantLive(w.main, 20)
		if n := w.main.Count(odd.Revocation) - before; n > 20*30 {
			t.Errorf("revocation requests in the hour = %d, want at most 30 per item", n)
		}
		for _, item := range w.pending() {
			if item.LastError == "" || item.Attempts == 0 {
				t.Errorf("item after an hour: %d attempts, last error %q; want both told", item.Attempts, item.LastError)
			}
			for _, s := range sessions {
				if strings.Contains(item.LastError, s.Record.RefreshToken.Reveal()) ||
					strings.Contains(item.LastError, s.Record.AccessToken.Reveal()) {
					t.Error("the last error shows a token")
				}
			}
		}
		up()
		time.Sleep(10 * time.Minute)
		w.wantPending(0)
		w.wantLive(w.main, 0)
	})
}

// TestSlowProviderHoldsUpNobodyElse: its answers take nine seconds and its backlog is longer than
// what the worker holds; the other's are revoked at once.
func TestSlowProviderHoldsUpNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slow.Intercept(odd.Revocation, odd.Delay(9*time.Second))
		var slow []*session.Session
		for range 600 {
			slow = append(slow, w.login("slow"))
		}
		worker := w.run()
		for _, s := range slow {
			w.end(s, session.ReasonLogout)
		}
		time.Sleep(2 * time.Second)
		w.end(w.login("main"), session.ReasonLogout)
		worker.Wake()
		time.Sleep(time.Second)
		w.wantLive(w.main, 0)
		time.Sleep(time.Hour)
		w.wantLive(w.slow, 0)
		w.wantPending(0)
	})
}

// TestTwoWorkersNeverDeliverOneItemAtOnce although the provider is so slow that the backlog
// outlasts the leases.
func TestTwoWorkersNeverDeliverOneItemAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var mu sync.Mutex // guards underWay and overlaps
		underWay, overlaps := map[string]bool{}, 0
		w.slow.Intercept(odd.Revocation, func(rw http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			item := r.FormValue("token")
			mu.Lock()
			if underWay[item] {
				overlaps++
			}
			underWay[item] = true
			mu.Unlock()
			time.Sleep(9 * time.Second)
			mu.Lock()
			delete(underWay, item)
			mu.Unlock()
			next(rw, r)
		})
		var slow []*session.Session
		for range 200 {
			slow = append(slow, w.login("slow"))
		}
		other := w.options
		other.Metrics = prometheus.NewRegistry()
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { revocation.NewWorker(other).Run(ctx) })
		w.run()
		for _, s := range slow {
			w.end(s, session.ReasonLogout)
		}
		time.Sleep(time.Hour)
		cancel()
		running.Wait()
		if overlaps != 0 {
			t.Errorf("tokens revoked by two workers at once = %d, want none", overlaps)
		}
		w.wantLive(w.slow, 0)
		w.wantPending(0)
	})
}

// TestEveryEndRevokesTheRefreshTokenFirst (RV1, RV2), with its hint.
func TestEveryEndRevokesTheRefreshTokenFirst(t *testing.T) {
	for _, reason := range []session.Reason{
		session.ReasonLogout, session.ReasonRevoked, session.ReasonProviderLogout, session.ReasonReplaced, session.ReasonRefused,
	} {
		t.Run(string(reason), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				worker := w.run()
				s := w.login("main")
				w.end(s, reason)
				worker.Wake()
				time.Sleep(time.Millisecond)
				w.wantLive(w.main, 0)
				w.wantPending(0)
				var hints []string
				for _, r := range w.main.Requests(odd.Revocation) {
					hints = append(hints, r.Form.Get("token_type_hint"))
				}
				if got := strings.Join(hints, " "); got != "refresh_token access_token" {
					t.Errorf("revoked = %q, want the refresh token, then the access token", got)
				}
				if w.main.AccessTokenLives(s.Record.AccessToken.Reveal()) {
					t.Error("the access token lives on")
				}
			})
		})
	}
}

// TestExpiredSessionsAreRevoked (RV1): those that were idle too long and those that reached their
// end, more than one batch of them; nobody has to call.
func TestExpiredSessionsAreRevoked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for range 500 {
			w.login("main")
		}
		w.run()
		time.Sleep(59 * time.Minute)
		w.wantLive(w.main, 500)
		time.Sleep(2 * time.Minute)
		w.wantLive(w.main, 0)
		w.wantPending(0)
	})
}

// TestStoreOutageDelaysAndLosesNothing (RV4): the outbox can't be read for a while, then not
// written.
func TestStoreOutageDelaysAndLosesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		worker := w.run()
		s := w.login("main")
		w.store.Fail("lease", "endexpired", "done")
		w.end(s, session.ReasonLogout)
		worker.Wake()
		time.Sleep(10 * time.Minute)
		w.wantLive(w.main, 1)
		w.store.Fail("done")
		time.Sleep(time.Minute)
		w.wantLive(w.main, 0)
		w.wantPending(1) // delivered, and not taken out: a second delivery is harmless
		w.store.Fail()
		time.Sleep(2 * time.Minute)
		w.wantPending(0)
	})
}

// TestStoppedWorkerLeavesItsItemsToTheNext: a delivery that is cut by the shutdown is made by
// another worker after its lease.
func TestStoppedWorkerLeavesItsItemsToTheNext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		undo := w.main.Intercept(odd.Revocation, odd.Hang(nil))
		worker := w.run()
		w.end(w.login("main"), session.ReasonLogout)
		worker.Wake()
		time.Sleep(time.Second)
		began := time.Now()
		w.stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("the worker took %v to stop", took)
		}
		w.wantPending(1)
		undo()
		w.options.Metrics = nil
		w.run()
		time.Sleep(2 * time.Minute)
		w.wantPending(0)
		w.wantLive(w.main, 0)
	})
}

// TestRevocationIsJudgedByNoClockThatMayBeWrong: the machine's clock is two months ahead, and the
// store is slow to say what time it is. The item is not given up as too old.
func TestRevocationIsJudgedByNoClockThatMayBeWrong(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.end(w.login("main"), session.ReasonLogout)
		w.store.SetClock(func() (time.Time, error) { return time.Time{}, storetest.ErrDisk })
		shared := clock.New(clock.Options{Wall: func() time.Time { return time.Now().Add(60 * 24 * time.Hour) }, Logger: quiet})
		w.options.Now = shared.Now
		w.options.Sessions = newManager(t, w.store, func(o *session.Options) { o.Clock = shared })
		defer w.options.Sessions.Close()
		w.run()
		defer w.stop()
		time.Sleep(10 * time.Second)
		w.wantPending(1)
		w.store.SetClock(func() (time.Time, error) { return time.Now().UTC(), nil })
		time.Sleep(time.Minute)
		w.wantPending(0)
		w.wantLive(w.main, 0)
	})
}

// TestOldRevocationIsTriedBeforeItIsGivenUp: no worker ran for a month, or the clock has jumped
// that far. What can be revoked still is; what can't be is given up after one try.
func TestOldRevocationIsTriedBeforeItIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.end(w.login("main"), session.ReasonLogout)
		w.end(w.login("slow"), session.ReasonLogout)
		up := w.slow.SetDown()
		defer up()
		time.Sleep(31 * 24 * time.Hour)
		w.run()
		time.Sleep(10 * time.Minute)
		w.wantPending(0)
		w.wantLive(w.main, 0)
		w.wantLive(w.slow, 1)
	})
}
