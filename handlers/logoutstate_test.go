package handlers

import (
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
)

// The age is told by the time that the caller gives, which replicas share, not by securecookie's clock.
func TestStateOfALogoutIsGoodForAnHourByTheSharedClock(t *testing.T) {
	l := newLogoutState(keys.NewRing(keys.Key{1}))
	for _, shared := range []time.Time{time.Now(), time.Now().Add(24 * time.Hour), time.Now().Add(-24 * time.Hour)} {
		state, err := l.seal("/bye", shared)
		if err != nil {
			t.Fatal(err)
		}
		for after, want := range map[time.Duration]bool{
			0: true, 59 * time.Minute: true, 61 * time.Minute: false, -2 * time.Second: true, -time.Minute: false, 24 * time.Hour: false,
		} {
			if to, ok := l.open(state, shared.Add(after)); ok != want || ok && to != "/bye" {
				t.Errorf("after %v: %q %v, want %v", after, to, ok, want)
			}
		}
		if _, ok := l.open(state[:len(state)-4]+"AAAA", shared); ok {
			t.Error("an altered one opens")
		}
	}
}
