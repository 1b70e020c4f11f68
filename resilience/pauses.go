package resilience

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

type retry struct {
	what   string
	pauses Pauses
	limit  limit
}

// A limit is when a retry is given up; the zero value is never.
type limit struct {
	tries  int           // the first one counted; 0: any number
	within time.Duration // since the first; 0: for ever
	note   string        // what operators read instead of within
}

var never = limit{}

func within(d time.Duration) limit { return limit{within: d} }

func tries(n int) limit { return limit{tries: n} }

// Pauses are the pauses of this kind of retry.
func (r Retry) Pauses() Pauses { return retries[r].pauses }

// Within is how long it is tried, 0 for ever. CommitRenewal is tried for longer where its session
// lives longer.
func (r Retry) Within() time.Duration { return retries[r].limit.within }

// Tries is how often it is tried, the first time counted; 0 means any number.
func (r Retry) Tries() int { return retries[r].limit.tries }

// Pauses are the pauses between tries: each is factor times as long as the one before, up to the
// longest.
type Pauses struct {
	first, longest time.Duration
	factor, jitter float64 // jitter is the share by which each pause may be shorter or longer
}

func doubled(first, longest time.Duration, jitter float64) Pauses {
	return Pauses{first, longest, 2, jitter}
}

func steady(pause time.Duration, jitter float64) Pauses { return Pauses{pause, pause, 1, jitter} }

// First is the first pause, without jitter.
func (p Pauses) First() time.Duration { return p.first }

// From are pauses that grow in the same way from another first one.
func (p Pauses) From(first time.Duration) Pauses {
	p.longest = time.Duration(float64(first) * float64(p.longest) / float64(p.first))
	p.first = first
	return p
}

// BackOff makes the pauses, one after the other, for one goroutine.
func (p Pauses) BackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: p.first, MaxInterval: p.longest, Multiplier: p.factor, RandomizationFactor: p.jitter,
	}
}

// After is the pause after so many failures in a row; fewer than one count as one.
func (p Pauses) After(failures int) time.Duration {
	b := p.BackOff()
	for range min(failures, enoughFailures) - 1 {
		b.NextBackOff()
	}
	return b.NextBackOff()
}

// enoughFailures is after how many every pause is the longest: a nanosecond that is doubled so often
// is centuries.
const enoughFailures = 64

// AfterAsked is After for a provider that asks for a pause by Retry-After, 0 for none (RFC 9110
// §10.2.3). The pause is never shorter than that, and up to a quarter longer, so that not all come
// back at once.
func (p Pauses) AfterAsked(failures int, asked time.Duration) time.Duration {
	if asked <= 0 {
		return p.After(failures)
	}
	return max(p.After(failures), asked+rand.N(asked/4+1))
}

// Sleep waits for d and reports whether it was not cut short by ctx's end.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
