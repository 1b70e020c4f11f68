package renewal_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

// A slowClock is the clock of a machine that has too much to do: once starved, half a second goes
// by between one look and the next.
type slowClock struct {
	starved atomic.Bool
	late    atomic.Int64 // nanoseconds
}

func (c *slowClock) now() time.Time {
	if c.starved.Load() {
		c.late.Add(int64(500 * time.Millisecond))
	}
	return time.Now().Add(time.Duration(c.late.Load()))
}

// TestTokenThatRanOutWhileItCameIsHandedOut: a token of one second has run out by the time that the
// request for which it was renewed goes on. There is no younger one, so the API judges it; the
// provider is not called unreachable.
func TestTokenThatRanOutWhileItCameIsHandedOut(t *testing.T) {
	var clock slowClock
	op := odd.New(t, odd.WithClock(clock.now))
	w := newWorld(t, op, parts.Wire{Handler: op.Server.Config.Handler}, clock.now)
	defer w.close()
	op.SetTokenLife(time.Second)
	s := w.login()
	clock.late.Add(int64(time.Hour))
	clock.starved.Store(true)
	token, err := w.renewer.AccessToken(t.Context(), s)
	clock.starved.Store(false)
	if err != nil {
		t.Fatalf("access token: %v; want the token that has just been renewed", err)
	}
	if token.AccessToken == s.Record.AccessToken {
		t.Error("got the token that ran out an hour ago")
	}
	if left := token.Session.Record.AccessTokenExpires.Sub(clock.now()); left > 0 {
		t.Fatalf("the token has %v left; this test is about one that ran out on its way", left)
	}
}
