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

// A limit says when a retry is given up. The zero value means never.
type limit struct {
	tries  int           // including the first; 0: no limit
	within time.Duration // since the first try; 0: no limit
	note   string        // docs/scaling.md shows it instead of within
}

var never = limit{}

func within(d time.Duration) limit { return limit{within: d} }

func tries(n int) limit { return limit{tries: n} }

// Pauses returns the pauses between tries.
func (r Retry) Pauses() Pauses { return retries[r].pauses }

// Within is the time after the first try at which the retry is given up; 0 means never.
// CommitRenewal is retried until its session ends, if that is later.
func (r Retry) Within() time.Duration { return retries[r].limit.within }

// Tries is the largest number of tries, including the first; 0 means no limit.
func (r Retry) Tries() int { return retries[r].limit.tries }

// Pauses are the pauses between tries. Each is the one before multiplied by factor, up to the
// longest.
type Pauses struct {
	first, longest time.Duration
	factor, jitter float64 // jitter: the part of a pause by which it may be shorter or longer
}

func doubled(first, longest time.Duration, jitter float64) Pauses {
	return Pauses{first, longest, 2, jitter}
}

func steady(pause time.Duration, jitter float64) Pauses { return Pauses{pause, pause, 1, jitter} }

// First is the first pause, without jitter.
func (p Pauses) First() time.Duration { return p.first }

// From returns pauses with another first pause; the others keep their ratio to it.
func (p Pauses) From(first time.Duration) Pauses {
	p.longest = time.Duration(float64(first) * float64(p.longest) / float64(p.first))
	p.first = first
	return p
}

// BackOff returns a backoff that generates the pauses. It is not safe for concurrent use.
func (p Pauses) BackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: p.first, MaxInterval: p.longest, Multiplier: p.factor, RandomizationFactor: p.jitter,
	}
}

// After returns the pause after a number of failures in a row; less than 1 counts as 1.
func (p Pauses) After(failures int) time.Duration {
	b := p.BackOff()
	for range min(failures, enoughFailures) - 1 {
		b.NextBackOff()
	}
	return b.NextBackOff()
}

// enoughFailures is a number of failures after which every pause is the longest one: a nanosecond
// doubled that often is centuries.
const enoughFailures = 64

// AfterAsked is After for a provider that has sent a Retry-After (RFC 9110 §10.2.3); asked is 0 if
// it has not. The pause is at least asked, and up to a quarter longer, so that not all callers
// return at the same moment.
func (p Pauses) AfterAsked(failures int, asked time.Duration) time.Duration {
	if asked <= 0 {
		return p.After(failures)
	}
	return max(p.After(failures), asked+rand.N(asked/4+1))
}

// Sleep waits for d. It returns false if ctx ends first.
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
