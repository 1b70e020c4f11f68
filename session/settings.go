package session

import (
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// The values of Options.OnOutage: what happens to sessions while the store is unavailable.
const (
	outageFail        = "fail"         // every request that needs a session fails
	outageServeCached = "serve_cached" // serve sessions from memory, read-only, for Options.OutageLimit
)

// defaultCacheMemory is the default size of the session cache in bytes.
const defaultCacheMemory = 64 << 20

// Defaults returns the Options that apply unless the operator sets others.
func Defaults() Options {
	return Options{
		Lifetime: 12 * time.Hour, IdleTimeout: 30 * time.Minute, MaxStaleness: 2 * time.Second, MaxPerUser: 10_000,
		CacheMemory: defaultCacheMemory, OnOutage: outageFail, OutageLimit: time.Minute,
	}
}

// Settings returns the settings of the lifetime and the cache of sessions.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "lifetime", Value: setting.PositiveDuration(&o.Lifetime),
			Doc:     "How long a session lasts at most, even if it is in use; more than 0",
			Example: []string{"12h"},
		},
		{
			Name: "idle_timeout", Value: setting.NonNegativeDuration(&o.IdleTimeout),
			Doc: "How long a session lasts without activity; `0`: no limit. The time stops while the " +
				"store is unavailable. Not longer than `lifetime`",
			Default: "`30m`, or `lifetime` if that is shorter",
			Example: []string{"30m"},
		},
		{
			Name: "max_staleness", Value: setting.NonNegativeDuration(&o.MaxStaleness),
			Doc: "How long a replica may serve a cached session while it can't learn of its end from the " +
				"store; `0`: the store is read every time",
			Example: []string{"2s"},
		},
		{
			Name: "max_per_user", Value: setting.Number(&o.MaxPerUser),
			Doc: "How many sessions one user of one provider can have; a further login ends those that " +
				"were idle the longest (if the limit is more than 100, a hundredth of them at once). The " +
				"default only prevents one account from filling the store. `0`: any number",
			Example: []string{"10000"},
		},
		{
			Name: "cache_memory", Value: setting.Bytes(&o.CacheMemory).ZeroIsUnset(),
			Doc: "How much memory decrypted records may take. A session in this cache needs neither a call " +
				"to the store nor a decryption. More than 0. With several replicas, the store tells each " +
				"what the others change; while it can't, every session is read from the store",
			Example: []string{"64MiB"},
		},
		{
			Name: "on_outage", Value: setting.OneOf(&o.OnOutage, outageFail, outageServeCached),
			Doc: "What happens while the store is unavailable: `fail` or `serve_cached`. `fail`: 503 " +
				"`store_unavailable`. `serve_cached`: the replica serves the sessions in its memory, " +
				"read-only: no renewal, no logout, no login",
			Example: []string{"serve_cached"},
		},
		{
			Name: "outage_limit", Value: setting.PositiveDuration(&o.OutageLimit),
			Doc: "How long `serve_cached` serves a session after it was last read from the store. A session " +
				"that another replica ended just before the outage may continue here for that time",
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
		c.Report("on_outage", "can't serve what is not cached: session.max_staleness is 0",
			"let max_staleness be more than 0, or write on_outage: fail")
	}
}

// servedCached is how long sessions in memory are served in an outage of the store; 0: not at all.
func (o *Options) servedCached() time.Duration {
	if o.OnOutage == outageServeCached {
		return o.OutageLimit
	}
	return 0
}
