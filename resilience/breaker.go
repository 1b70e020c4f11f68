package resilience

import "time"

type breaker struct {
	what     string
	failures int // in a row, after which it opens
	pauses   Pauses
	obeys    time.Duration // of Retry-After, which opens it at the first failure; 0: there is none
}

// Failures is after how many failures in a row it opens.
func (b Breaker) Failures() int { return breakers[b].failures }

// Pauses are how long it stays open, the first time and each time that the call let through fails.
func (b Breaker) Pauses() Pauses { return breakers[b].pauses }

type bulkhead struct {
	what   string
	places int
	slow   time.Duration // after which one that is under way no longer counts; 0: it always does
}

// Places is how many may be under way; more wait.
func (b Bulkhead) Places() int { return bulkheads[b].places }

// Slow is after what time one that is under way gives up its place, and goes on; 0 means never.
func (b Bulkhead) Slow() time.Duration { return bulkheads[b].slow }
