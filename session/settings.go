package session

import (
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// What happens to sessions while the store can't be asked.
const (
	outageFail        = "fail"         // nobody is served
	outageServeCached = "serve_cached" // sessions in memory go on, read-only, for Options.OutageLimit
)

// defaultCacheMemory is how much memory opened sessions may take.
const defaultCacheMemory = 64 << 20

// Defaults are Options of which the operator has said nothing.
func Defaults() Options {
	return Options{
		Lifetime: 12 * time.Hour, IdleTimeout: 30 * time.Minute, MaxStaleness: 2 * time.Second, MaxPerUser: 10_000,
		CacheMemory: defaultCacheMemory, OnOutage: outageFail, OutageLimit: time.Minute,
	}
}

// Settings are the keys that say how long sessions last and what is kept of them.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "lifetime", Value: setting.PositiveDuration(&o.Lifetime),
			Doc:     "How long a session lasts at most, however busy; more than 0",
			Example: []string{"12h"},
		},
		{
			Name: "idle_timeout", Value: setting.NonNegativeDuration(&o.IdleTimeout),
			Doc: "How long a session lasts without activity; `0`: no limit. It stands still while the " +
				"store can't be asked. Not longer than `lifetime`",
			Default: "`30m`, or `lifetime` if that is shorter",
			Example: []string{"30m"},
		},
		{
			Name: "max_staleness", Value: setting.NonNegativeDuration(&o.MaxStaleness),
			Doc: "How long a replica may serve a session that it has cached without hearing of its end; " +
				"`0`: the store is read every time",
			Example: []string{"2s"},
		},
		{
			Name: "max_per_user", Value: setting.Number(&o.MaxPerUser),
			Doc: "How many sessions one user of one provider can have; a login beyond that ends those that " +
				"were idle the longest (beyond 100, a hundredth of them at once). The default only keeps " +
				"one account from filling the store. `0`: any number",
			Example: []string{"10000"},
		},
		{
			Name: "cache_memory", Value: setting.Bytes(&o.CacheMemory).ZeroIsUnset(),
			Doc: "How much memory opened records may take, so that a session in use costs neither a " +
				"question to the store nor a decryption; more than 0. With several replicas the store " +
				"tells each what the others did; while it can't, every session is read from it",
			Example: []string{"64MiB"},
		},
		{
			Name: "on_outage", Value: setting.OneOf(&o.OnOutage, outageFail, outageServeCached),
			Doc: "What happens while the store can't be asked: `fail` or `serve_cached`. `fail`: 503 " +
				"`store_unavailable`. `serve_cached`: sessions that this replica has in memory go on, " +
				"read-only: no renewal, no logout, no login",
			Example: []string{"serve_cached"},
		},
		{
			Name: "outage_limit", Value: setting.PositiveDuration(&o.OutageLimit),
			Doc: "How long after it was last read a session is served by `serve_cached`. A session that " +
				"was ended elsewhere in the moment before the outage may live on here for so long",
			Example: []string{"1m"},
		},
	}
}

// Check compares the values. An idle timeout that nobody set is no longer than the lifetime.
func (o *Options) Check(c setting.Check) {
	if c.Valid("lifetime") && c.Valid("idle_timeout") && o.IdleTimeout > o.Lifetime {
		if c.Given("idle_timeout") {
			c.Report("idle_timeout", "is longer than session.lifetime", "shorten it, or write 0 for none")
		}
		o.IdleTimeout = o.Lifetime
	}
	if c.GivenAndValid("cache_memory") && o.CacheMemory == 0 {
		c.Report("cache_memory", "is 0", "write max_staleness: 0 to read the store at every request")
	}
	if !c.Valid("on_outage") {
		return
	}
	if c.Given("outage_limit") && o.OnOutage != outageServeCached {
		c.Report("outage_limit", "has no effect without session.on_outage: serve_cached", "add on_outage: serve_cached, or take it out")
	}
	if o.OnOutage == outageServeCached && c.Valid("max_staleness") && o.MaxStaleness == 0 {
		c.Report("on_outage", "can't serve what is not cached: session.max_staleness is 0", "let max_staleness be more than 0, or write on_outage: fail")
	}
}

// servedCached is how long sessions in memory are served in an outage of the store; 0: not at all.
func (o *Options) servedCached() time.Duration {
	if o.OnOutage == outageServeCached {
		return o.OutageLimit
	}
	return 0
}
