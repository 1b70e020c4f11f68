package login_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// CB1: each way in which a state can be wrong.
func TestWrongStateIsRefusedBeforeAnyTokenRequest(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world, b *browser, callback *url.URL) *url.URL
		kind  problem.Code
		code  string
	}{
		"no state": {func(_ *world, _ *browser, u *url.URL) *url.URL { return with(u, "state", "") }, problem.InvalidResponse, "state"},
		"an unknown state": {func(_ *world, _ *browser, u *url.URL) *url.URL {
			return with(u, "state", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		}, problem.AttemptNotFound, ""},
		"an altered state (LS14)": {func(_ *world, _ *browser, u *url.URL) *url.URL {
			s := u.Query().Get("state")
			return with(u, "state", "a"+s[1:]) // lower-case letters are in no state
		}, problem.AttemptNotFound, ""},
		"an oversized state": {func(_ *world, _ *browser, u *url.URL) *url.URL {
			return with(u, "state", strings.Repeat("s", 20_000))
		}, problem.InvalidResponse, "state"},
		"no cookie at all": {func(_ *world, b *browser, u *url.URL) *url.URL {
			for name := range b.cookies() {
				b.set(name, "")
			}
			return u
		}, problem.CookiesBlocked, ""},
		"another cookie only": {func(_ *world, b *browser, u *url.URL) *url.URL {
			for _, name := range b.attempts() {
				b.set(name, "")
			}
			b.set("theme", "dark")
			return u
		}, problem.AttemptNotFound, ""},
		"an altered cookie": {func(_ *world, b *browser, u *url.URL) *url.URL {
			name := b.attempts()[0]
			value := []byte(b.cookies()[name])
			value[len(value)/2] ^= 1
			b.set(name, string(value))
			return u
		}, problem.AttemptNotFound, ""},
		"another attempt's cookie under this one's name": {func(_ *world, b *browser, u *url.URL) *url.URL {
			name := b.attempts()[0]
			b.begin("")
			for other, value := range b.cookies() {
				if other != name {
					b.set(name, value)
				}
			}
			return u
		}, problem.AttemptNotFound, ""},
		"an attempt that took eleven minutes, its cookie kept by hand": {func(w *world, _ *browser, u *url.URL) *url.URL {
			w.pass(11 * time.Minute)
			return u
		}, problem.AttemptExpired, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			callback := c.spoil(w, b, b.away("returnUrl=/orders"))
			before := w.stands()
			got := b.back(callback)
			w.refuses(b, before, got, c.kind, c.code)
			if c.kind == problem.AttemptExpired && got.ReturnURL != "/orders" {
				t.Errorf("the way to try again leads to %q, want /orders", got.ReturnURL)
			}
		})
	}
}

// CB2: a state is spent by success, and the session that it brought stays as it is.
func TestBackButtonChangesNothing(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("")
	replay := b.cookies()
	if a := b.back(callback); a.Kind != "" {
		t.Fatalf("the login came to %+v", a)
	}
	rec, before := b.record(), w.stands()
	for name, prepare := range map[string]func(){
		"without the attempt's cookie": func() {},
		"with it, kept by hand": func() {
			for name, value := range replay {
				b.set(name, value)
			}
		},
	} {
		prepare()
		if a := b.back(callback); a.Kind != problem.AttemptSpent || !(&login.Failure{Kind: a.Kind}).Stale() {
			t.Errorf("%s: the second delivery came to %+v", name, a)
		}
		if after := b.record(); w.stands() != before || after == nil || after.Name != rec.Name || after.Access != rec.Access {
			t.Errorf("%s: the session changed", name)
		}
	}
	if w.logins("success") != 1 {
		t.Errorf("%v logins counted, want 1", w.logins("success"))
	}
}

// CB2: failure spends it too.
func TestRefusalSpendsTheState(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("")
	replay := b.cookies()
	if a := b.back(with(callback, "iss", "https://e.test")); a.Kind != problem.InvalidResponse {
		t.Fatalf("a wrong issuer came to %+v", a)
	}
	for name, value := range replay {
		b.set(name, value)
	}
	before := w.stands()
	w.refuses(b, before, b.back(callback), problem.AttemptSpent, "")
}

// CB2: two deliveries at the same moment redeem the code once.
func TestParallelDeliveryRedeemsOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := b.away("")
	cookies := b.cookies()
	var mu sync.Mutex
	outcomes := map[problem.Code]int{}
	var wg sync.WaitGroup
	for range 8 {
		twin := w.browser() // with the same cookies, so that jars don't race
		for name, value := range cookies {
			twin.set(name, value)
		}
		wg.Go(func() {
			a := twin.back(callback)
			mu.Lock()
			defer mu.Unlock()
			outcomes[a.Kind]++
		})
	}
	wg.Wait()
	if outcomes[""] != 1 || outcomes[problem.AttemptSpent] != 7 {
		t.Errorf("outcomes = %v, want one login", outcomes)
	}
	if n := w.op.Count(odd.Token); n != 1 || len(w.op.LiveRefreshTokens()) != 1 {
		t.Errorf("%d token requests, %d live refresh tokens", n, len(w.op.LiveRefreshTokens()))
	}
}

// CB3: the attacker's callback gives the victim no session, and the victim's own attempt still
// works.
func TestForeignCallbackLogsNobodyIn(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.browser(), w.browser()
	trap := attacker.away("")
	own := victim.away("returnUrl=/own")
	before := w.stands()
	if a := victim.back(trap); a.Kind != problem.AttemptNotFound {
		t.Errorf("the attacker's callback came to %+v", a)
	}
	if w.stands() != before || victim.record() != nil {
		t.Error("the attacker's callback had an effect")
	}
	if a := victim.back(own); a.Kind != "" || a.ReturnURL != "/own" {
		t.Errorf("the victim's own login came to %+v", a)
	}
}
