package renewal

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

const (
	defaultSoft = 0.75
	softJitter  = 0.05 // of the life, to either side
	maxSkew     = 10 * time.Second
	// minLife keeps a provider whose expires_in is nonsense from making every request a renewal.
	minLife = time.Second
	// clockStep is how far the clock may stand before the moment a token was obtained; more means
	// that it was set back and the expiry noted then can't be trusted.
	clockStep = time.Minute
)

// An age says what a token of that age is good for.
type age int

const (
	fresh age = iota // use it
	aging            // use it, and renew behind the request
	stale            // renew in front of the request; it may be used if that fails
	dead             // not to be used
)

// A life is when a token was obtained and when it runs out, on our own clock: an expiry that is
// written in the token is never read (it is the API's, and may be opaque).
type life struct{ obtained, expires time.Time }

func (l life) length() time.Duration { return max(l.expires.Sub(l.obtained), 0) }

// skew is for the upstream's clock and the way there: at most 10 s, and at most a tenth of the
// life, so that a token of two seconds works too.
func (l life) skew() time.Duration { return min(maxSkew, l.length()/10) }

// at says how old the token is now. Soft is the share of the life after which it is aging; seed
// spreads that moment, so that sessions that began together are not renewed together.
func (l life) at(now time.Time, soft float64, seed string) age {
	hard := l.expires.Add(-l.skew())
	switch {
	case !now.Before(l.expires):
		return dead
	case !now.Before(hard):
		return stale
	case now.Before(l.obtained.Add(-clockStep)):
		return aging
	case !now.Before(l.obtained.Add(l.share(soft, seed))):
		return aging
	}
	return fresh
}

// share is the part of the life that is over at the soft time. The same token always gets the same
// jitter, in every replica.
func (l life) share(soft float64, seed string) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(seed))
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(l.obtained.UnixMilli()))
	h.Write(at[:])
	spread := float64(mix(h.Sum64())>>11) / (1 << 53) // [0,1)
	return time.Duration(float64(l.length()) * (soft + softJitter*(2*spread-1)))
}

// mix is the finalizer of MurmurHash3: FNV leaves the high bits of short inputs nearly alike.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
