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
	// minLife keeps a provider with a nonsensical expires_in from causing a renewal at every
	// request.
	minLife = time.Second
	// clockStep is how far the clock may be behind the moment when a token was obtained. If it is
	// farther behind, it was set back, and the recorded expiry can't be trusted.
	clockStep = time.Minute
)

// An age says how a token of that age may be used.
type age int

const (
	fresh age = iota // use it
	aging            // use it, and renew it in the background
	stale            // renew it first; if that fails it may still be used
	dead             // don't use it
)

// A life is when a token was obtained and when it expires, by our own clock. An expiry in the token
// itself is never read: the token is for the API, and may be opaque.
type life struct{ obtained, expires time.Time }

func (l life) length() time.Duration { return max(l.expires.Sub(l.obtained), 0) }

// skew allows for the upstream's clock and for the time that the request needs. It is at most 10 s
// and at most a tenth of the life, so that a token of two seconds works, too.
func (l life) skew() time.Duration { return min(maxSkew, l.length()/10) }

// at returns the token's age at now. soft is the share of the life after which it is aging. seed
// varies that moment, so that sessions that began together are not renewed together.
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

// share returns the part of the life after which the token is aging. The jitter of a token is the
// same in every replica.
func (l life) share(soft float64, seed string) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(seed))
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(l.obtained.UnixMilli()))
	h.Write(at[:])
	spread := float64(mix(h.Sum64())>>11) / (1 << 53) // [0,1)
	return time.Duration(float64(l.length()) * (soft + softJitter*(2*spread-1)))
}

// mix is the finalizer of MurmurHash3. FNV alone leaves the high bits of short inputs nearly equal.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
