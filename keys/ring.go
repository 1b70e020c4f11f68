package keys

import (
	"slices"
	"sync/atomic"
)

// A Ring holds keys that can be replaced while they are in use. The first key seals and signs, and
// all of them open and verify, so that what an older key sealed can be read until that key is taken
// out. A Ring is safe for concurrent use.
type Ring struct {
	held atomic.Pointer[holding]
}

// A holding is what a Ring holds at one time. It is never changed.
type holding struct {
	keys   []Key     // at least one
	atRest []restKey // derived from keys, in their order
}

// NewRing returns a Ring of these keys. Only the first one seals.
func NewRing(first Key, others ...Key) *Ring {
	h := &holding{keys: append([]Key{first}, others...)}
	for _, k := range h.keys {
		h.atRest = append(h.atRest, newRestKey(k))
	}
	r := new(Ring)
	r.held.Store(h)
	return r
}

// Replace has r hold the keys that next holds now, in place of its own. Every Codec of r uses them
// from then on; a call that is under way uses either the old ones or the new ones.
func (r *Ring) Replace(next *Ring) { r.held.Store(next.held.Load()) }

// Covers reports whether r holds every key that other does, and so opens whatever other opens.
func (r *Ring) Covers(other *Ring) bool {
	own := r.held.Load().keys
	return !slices.ContainsFunc(other.held.Load().keys, func(k Key) bool { return !slices.Contains(own, k) })
}

// IDs returns the ids of the keys, in their order; see HeadID.
func (r *Ring) IDs() []string {
	var ids []string
	for _, k := range r.held.Load().atRest {
		ids = append(ids, HeadID(k.head[:]))
	}
	return ids
}
