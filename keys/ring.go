package keys

import (
	"slices"
	"sync/atomic"
)

// A Ring holds keys that can be replaced while they are in use. The first key seals and signs; all
// keys open and verify, so that values of an older key stay valid until that key is removed. A Ring
// is safe for concurrent use.
type Ring struct {
	held atomic.Pointer[keySet]
}

// A keySet is the content of a Ring. It never changes.
type keySet struct {
	keys       []Key       // at least one
	recordKeys []recordKey // derived from keys, in the same order
}

// NewRing returns a Ring of these keys.
func NewRing(first Key, others ...Key) *Ring {
	h := &keySet{keys: append([]Key{first}, others...)}
	for _, k := range h.keys {
		h.recordKeys = append(h.recordKeys, newRecordKey(k))
	}
	r := new(Ring)
	r.held.Store(h)
	return r
}

// Replace replaces the keys of r by those that next holds now. All Codecs of r use them from then
// on. A concurrent call uses either the old or the new keys.
func (r *Ring) Replace(next *Ring) { r.held.Store(next.held.Load()) }

// Covers reports whether r holds every key of other, so that it opens everything that other opens.
func (r *Ring) Covers(other *Ring) bool {
	own := r.held.Load().keys
	return !slices.ContainsFunc(other.held.Load().keys, func(k Key) bool { return !slices.Contains(own, k) })
}

// IDs returns the ids of the keys in their order; see HeadID.
func (r *Ring) IDs() []string {
	var ids []string
	for _, k := range r.held.Load().recordKeys {
		ids = append(ids, HeadID(k.head[:]))
	}
	return ids
}
