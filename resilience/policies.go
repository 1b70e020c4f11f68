// Package resilience holds the figures of all retries, circuit breakers and bulkheads: how often
// and after which pauses an operation is retried, when a breaker opens, and how many operations run
// at once. They are in the tables below, which docs/scaling.md shows to operators. The pauses come
// from cenkalti/backoff, the breaker of the store from sony/gobreaker, and shared calls from
// x/sync/singleflight.
//
// The package does not know the operations. Its weak point: each process counts for itself, so N
// replicas retry N times as often. Jitter keeps them from retrying at the same moment.
package resilience

import "time"

// MaxRetryAfter is the longest Retry-After of a provider that is obeyed. A longer one is cut to it,
// so that no response of a provider stops our requests for longer.
const MaxRetryAfter = 2 * time.Minute

// A Retry is a kind of operation that is retried after a failure.
type Retry int

// The operations that are retried; see the table below.
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

// retries is the table of retries. The pauses of Renewal and CommitRenewal are short, because
// requests wait for them. Those of CommitRenewal are also much shorter than a lease. Otherwise the
// lease could expire between the return of the store and the next try, and another replica would
// send the same refresh token again.
var retries = [...]retry{
	MetadataFetch: {
		"a provider's metadata or keys, if none are known yet: at the next request after the pause",
		doubled(500*time.Millisecond, 15*time.Second, 0), never,
	},
	MetadataRefetch: {
		"a refresh of a provider's metadata or keys; the old ones stay in use",
		steady(time.Minute, 0), never,
	},
	MetadataAtStart: {
		"a provider's metadata, at the start",
		doubled(500*time.Millisecond, 30*time.Second, 0), never,
	},
	Renewal: {
		"a renewal, or a route's own token: at the next request after the pause; " +
			"if `Retry-After` is longer, after that and up to a quarter more",
		doubled(time.Second, 10*time.Second, 0.5), never,
	},
	OthersRenewal: {
		"a check whether another replica has renewed a session; " +
			"the change feed usually reports it sooner",
		steady(time.Second, 0.5), within(10 * time.Second),
	},
	CommitRenewal: {
		"a write of renewed tokens; until it succeeds, they are used from memory",
		doubled(50*time.Millisecond, time.Second, 0.5),
		limit{within: time.Minute, note: "the session's end, and at least 1 min"},
	},
	QueueOrphans: {
		"a write of renewed tokens to the outbox because their session has ended; " +
			"if given up, they are revoked directly",
		doubled(50*time.Millisecond, time.Second, 0.5), within(time.Minute),
	},
	EndRefused: {
		"a write that ends a session after a refused renewal, or marks that it needs a login",
		doubled(50*time.Millisecond, time.Second, 0.5), within(5 * time.Minute),
	},
	ReleaseLease: {
		"the release of a lease, if it is unknown whether the store still has it",
		steady(500*time.Millisecond, 0.5),
		limit{note: "four times `renewal_lease`"},
	},
	Revocation: {
		"a revocation at the provider, by any replica; never before `Retry-After`",
		doubled(time.Second, 5*time.Minute, 0.25), within(30 * 24 * time.Hour),
	},
	RevocationWaiting: {
		"a revocation while a newer session uses the same grant",
		steady(15*time.Second, 0), within(30 * 24 * time.Hour),
	},
	RevocationHopeless: {
		"a revocation whose key or provider is no longer configured",
		steady(time.Hour, 0), within(30 * 24 * time.Hour),
	},
	OutboxLook: {
		"a check of the outbox; the pause is doubled while the store fails",
		doubled(time.Second, 16*time.Second, 0.25), never,
	},
	ExpirySweep: {
		"a search for expired sessions; the pause is doubled while the store fails",
		doubled(5*time.Second, 80*time.Second, 0.25), never,
	},
	ChangeFeed: {
		"the connection to the store's change feed",
		doubled(50*time.Millisecond, 2*time.Second, 0.5), never,
	},
	RedisRead: {
		"a read from Redis after a broken connection; writes are not retried",
		doubled(10*time.Millisecond, 20*time.Millisecond, 0), tries(3),
	},
	UnprocessedRequest: {
		"a request that an API reports as not processed (HTTP/2): once immediately, then after the pause",
		doubled(50*time.Millisecond, 800*time.Millisecond, 0), tries(7),
	},
}

// A Breaker is a circuit breaker. It opens after a number of failures in a row, and stops all calls
// while it is open. Then it admits one call: if the call succeeds, the breaker closes; if not, it
// opens again.
type Breaker int

// The operations that have a circuit breaker.
const (
	TokenEndpoint Breaker = iota
	Store
)

// breakers is the table of circuit breakers. A single failure of a token endpoint does not open its
// breaker, because one response may get lost without an outage. The breaker stays open only
// shortly, because all callers wait for it, and one request from each replica does not overload a
// provider.
var breakers = [...]breaker{
	TokenEndpoint: {
		"a provider's token endpoint: one breaker for renewals, one for routes' own tokens",
		2, doubled(500*time.Millisecond, 10*time.Second, 0.5), MaxRetryAfter,
	},
	Store: {
		"the session store, except SQLite and memory",
		5, steady(500*time.Millisecond, 0), 0,
	},
}

// A Bulkhead limits how many operations of one kind run at once, so that they can't delay other
// kinds.
type Bulkhead int

// The operations that have a bulkhead.
const (
	TokenRequests Bulkhead = iota
	Userinfo
	Codes
	Revocations
)

// bulkheads is the table of bulkheads. A slow request gives up its place but is not canceled,
// because the provider may already have used its code or refresh token.
var bulkheads = [...]bulkhead{
	TokenRequests: {
		"token requests at one provider: one each for renewals, routes' own tokens and logins",
		32, 5 * time.Second,
	},
	Userinfo:    {"userinfo requests at one provider", 32, 0},
	Codes:       {"logins that redeem a code at one provider; clients are served in turn", 32, 5 * time.Second},
	Revocations: {"revocations at one provider", 8, 0},
}
