// Package resilience says who tries again, how often and after what pause; when a circuit breaker
// opens; how much may be under way at once. All of it stands in the tables below, which
// docs/scaling.md shows to operators. The pauses are made by cenkalti/backoff, the breaker before the
// store by sony/gobreaker, and one call for all who wait by x/sync/singleflight.
//
// It owns the figures and knows nothing of what is tried. Its weak point: each process counts for
// itself, so that N replicas try N times as often. Jitter keeps them out of step.
package resilience

import "time"

// MaxRetryAfter is how long a provider's Retry-After is obeyed at most: no answer of a provider
// silences us for longer.
const MaxRetryAfter = 2 * time.Minute

// A Retry is something that is tried again after a failure.
type Retry int

// What is tried again; the table below says how.
const (
	MetadataFetch Retry = iota
	MetadataRefetch
	MetadataAtStart
	Renewal
	OthersRenewal
	CommitRenewal
	QueueOrphans
	EndRefused
	ReleaseLease
	Revocation
	RevocationWaiting
	RevocationHopeless
	OutboxLook
	ExpirySweep
	ChangeFeed
	RedisRead
	UnprocessedRequest
)

// retries is the table of what is tried again. Renewal and CommitRenewal stay short, since requests
// wait for them. CommitRenewal stays well below a lease: a commit that comes after the store is back,
// and after the lease is over, finds that another replica has sent the refresh token again.
var retries = [...]retry{
	MetadataFetch: {
		"a provider's metadata or keys, while none are known: at the next request after the pause",
		doubled(500*time.Millisecond, 15*time.Second, 0), never,
	},
	MetadataRefetch: {
		"a provider's metadata or keys that are due to be fetched anew; the old ones stay in use",
		steady(time.Minute, 0), never,
	},
	MetadataAtStart: {
		"a provider's metadata, at the start",
		doubled(500*time.Millisecond, 30*time.Second, 0), never,
	},
	Renewal: {
		"a renewal, or a route's own token: at the next request after the pause, " +
			"or after `Retry-After` and up to a quarter of it",
		doubled(time.Second, 10*time.Second, 0.5), never,
	},
	OthersRenewal: {
		"a look at a session that another replica renews; the store's news come sooner",
		steady(time.Second, 0.5), within(10 * time.Second),
	},
	CommitRenewal: {
		"a write of renewed tokens, which are used from memory meanwhile",
		doubled(50*time.Millisecond, time.Second, 0.5),
		limit{within: time.Minute, note: "the session's end, and at least 1 min"},
	},
	QueueOrphans: {
		"a write to the outbox, of renewed tokens whose session has ended; " +
			"then they are revoked without it",
		doubled(50*time.Millisecond, time.Second, 0.5), within(time.Minute),
	},
	EndRefused: {
		"the end of a session whose renewal was refused, or its mark that a login is needed",
		doubled(50*time.Millisecond, time.Second, 0.5), within(5 * time.Minute),
	},
	ReleaseLease: {
		"the release of a lease that may be taken",
		steady(500*time.Millisecond, 0.5),
		limit{note: "four times `renewal_lease`"},
	},
	Revocation: {
		"a revocation at the provider, by whichever replica; never before `Retry-After`",
		doubled(time.Second, 5*time.Minute, 0.25), within(30 * 24 * time.Hour),
	},
	RevocationWaiting: {
		"a revocation while a newer session holds the same grant",
		steady(15*time.Second, 0), within(30 * 24 * time.Hour),
	},
	RevocationHopeless: {
		"a revocation whose key or provider is not configured any more",
		steady(time.Hour, 0), within(30 * 24 * time.Hour),
	},
	OutboxLook: {
		"a look at the outbox; doubled while the store fails",
		doubled(time.Second, 16*time.Second, 0.25), never,
	},
	ExpirySweep: {
		"a look for expired sessions; doubled while the store fails",
		doubled(5*time.Second, 80*time.Second, 0.25), never,
	},
	ChangeFeed: {
		"the connection over which the store tells of changes",
		doubled(50*time.Millisecond, 2*time.Second, 0.5), never,
	},
	RedisRead: {
		"a read from Redis whose connection broke; writes are not tried again",
		doubled(10*time.Millisecond, 20*time.Millisecond, 0), tries(3),
	},
	UnprocessedRequest: {
		"a request that an API says it has not processed (HTTP/2): once at once, then after the pause",
		doubled(50*time.Millisecond, 800*time.Millisecond, 0), tries(7),
	},
}

// A Breaker is a circuit breaker: it opens after failures in a row, and while it is open nothing is
// tried. Then one call is let through, whose outcome closes the breaker or opens it again.
type Breaker int

// What has a circuit breaker.
const (
	TokenEndpoint Breaker = iota
	Store
)

// breakers is the table of circuit breakers. A single lost answer of a token endpoint is no outage.
// Its pauses stay short: one request of each replica tramples no provider, and everybody waits for
// its answer.
var breakers = [...]breaker{
	TokenEndpoint: {
		"a provider's token endpoint, for renewals and for routes' own tokens apart",
		2, doubled(500*time.Millisecond, 10*time.Second, 0.5), MaxRetryAfter,
	},
	Store: {
		"the session store, unless it is a file or memory",
		5, steady(500*time.Millisecond, 0), 0,
	},
}

// A Bulkhead bounds how much of a kind is under way, so that it can't hold up the rest.
type Bulkhead int

// What has a bulkhead.
const (
	TokenRequests Bulkhead = iota
	Userinfo
	Codes
	Revocations
)

// bulkheads is the table of bulkheads. What is slow goes on, since its code or refresh token may be
// spent: it only gives up its place.
var bulkheads = [...]bulkhead{
	TokenRequests: {"token requests at one provider: renewals, routes' own tokens and logins apart", 32, 5 * time.Second},
	Userinfo:      {"userinfo requests at one provider", 32, 0},
	Codes:         {"logins that redeem a code at one provider; clients take turns", 32, 5 * time.Second},
	Revocations:   {"revocations at one provider", 8, 0},
}
