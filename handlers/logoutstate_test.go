package handlers

import (
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
)

// The caller passes the time, which replicas share. securecookie's own clock does not matter.
func TestStateOfALogoutIsValidForAnHourByTheSharedClock(t *testing.T) {
	l := newLogoutState(keys.NewRing(keys.Key{1}))
	now := time.Now()
	for _, shared := range []time.Time{now, now.Add(24 * time.Hour), now.Add(-24 * time.Hour)} {
		state, err := l.seal("/bye", shared)
		if err != nil {
			t.Fatal(err)
		}
		for after, want := range map[time.Duration]bool{
			0: true, 59 * time.Minute: true, 61 * time.Minute: false, 24 * time.Hour: false,
			-2 * time.Second: true, -time.Minute: false,
		} {
			if to, ok := l.open(state, shared.Add(after)); ok != want || ok && to != "/bye" {
				t.Errorf("after %v: %q %v, want %v", after, to, ok, want)
			}
		}
		if _, ok := l.open(state[:len(state)-4]+"AAAA", shared); ok {
			t.Error("an altered state opens")
		}
	}
}
