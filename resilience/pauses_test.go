package resilience

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestEveryRowIsComplete: a constant without a row would have no pause at all.
func TestEveryRowIsComplete(t *testing.T) {
	if len(retries) != int(UnprocessedRequest)+1 || len(breakers) != int(Store)+1 || len(bulkheads) != int(Revocations)+1 {
		t.Errorf("rows = %d, %d, %d; want one for each constant", len(retries), len(breakers), len(bulkheads))
	}
	for i, r := range retries {
		if r.what == "" || r.pauses.first <= 0 || r.pauses.longest < r.pauses.first || r.pauses.factor < 1 || r.pauses.jitter >= 1 {
			t.Errorf("retry %d = %+v, want a name and pauses", i, r)
		}
	}
	for i, b := range breakers {
		if b.what == "" || b.failures <= 0 || b.pauses.first <= 0 {
			t.Errorf("breaker %d = %+v, want a name, failures and pauses", i, b)
		}
	}
	for i, b := range bulkheads {
		if b.what == "" || b.places <= 0 {
			t.Errorf("bulkhead %d = %+v, want a name and places", i, b)
		}
	}
}

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	p := doubled(500*time.Millisecond, 3*time.Second, 0)
	for failures, want := range map[int]time.Duration{
		-1: 500 * time.Millisecond, 0: 500 * time.Millisecond, 1: 500 * time.Millisecond, 2: time.Second,
		3: 2 * time.Second, 4: 3 * time.Second, 1 << 40: 3 * time.Second,
	} {
		if got := p.After(failures); got != want {
			t.Errorf("pause after %d failures = %v, want %v", failures, got, want)
		}
	}
	if got := steady(time.Minute, 0).After(9); got != time.Minute {
		t.Errorf("steady pause = %v, want 1m", got)
	}
	scaled := p.From(time.Millisecond)
	if got := scaled.After(1); got != time.Millisecond {
		t.Errorf("first pause from 1ms = %v, want 1ms", got)
	}
	if got := scaled.After(9); got != 6*time.Millisecond {
		t.Errorf("longest pause from 1ms = %v, want 6ms", got)
	}
}

func TestJitterStaysWithinItsShare(t *testing.T) {
	shortest, longest := time.Hour, time.Duration(0)
	for range 1000 {
		d := steady(time.Second, 0.25).After(1)
		shortest, longest = min(shortest, d), max(longest, d)
	}
	if shortest < 750*time.Millisecond || longest > 1250*time.Millisecond+1 {
		t.Errorf("pauses = %v to %v, want 750ms to 1.25s", shortest, longest)
	}
	if longest-shortest < 250*time.Millisecond {
		t.Errorf("pauses = %v to %v, want them spread", shortest, longest)
	}
}

// TestRetryAfterIsNeverCutShort (RFC 9110 §10.2.3).
func TestRetryAfterIsNeverCutShort(t *testing.T) {
	p := doubled(time.Second, 10*time.Second, 0.5)
	for range 1000 {
		if d := p.AfterAsked(1, time.Minute); d < time.Minute || d > 75*time.Second {
			t.Fatalf("pause after Retry-After: 60 = %v, want 60 s to 75 s", d)
		}
		if d := p.AfterAsked(9, time.Second); d < 5*time.Second {
			t.Fatalf("pause after Retry-After: 1 and 9 failures = %v, want the longer of both", d)
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if !Sleep(ctx, 500*time.Millisecond) || time.Since(began) != 500*time.Millisecond {
			t.Errorf("slept for %v, want the whole 500ms", time.Since(began))
		}
		if Sleep(ctx, time.Hour) || time.Since(began) != time.Second {
			t.Errorf("slept until %v, want until ctx ended after 1s", time.Since(began))
		}
	})
}
