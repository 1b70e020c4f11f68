package resilience

import "time"

type breaker struct {
	what     string
	failures int // the number in a row after which it opens
	pauses   Pauses
	// maxRetryAfter is the longest Retry-After that is obeyed. A failure with one opens the breaker
	// at once. 0 means that there is no Retry-After.
	maxRetryAfter time.Duration
}

// Failures is the number of failures in a row after which the breaker opens.
func (b Breaker) Failures() int { return breakers[b].failures }

// Pauses are how long the breaker stays open: at first, and after each admitted call that fails.
func (b Breaker) Pauses() Pauses { return breakers[b].pauses }

type bulkhead struct {
	what   string
	places int
	slow   time.Duration // after this time a running operation no longer counts; 0: it always counts
}

// Places is how many operations run at once; further ones wait.
func (b Bulkhead) Places() int { return bulkheads[b].places }

// Slow is the time after which a running operation gives up its place and continues; 0 means never.
func (b Bulkhead) Slow() time.Duration { return bulkheads[b].slow }
