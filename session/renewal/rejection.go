package renewal

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxRejectionSpacing is the longest time between two renewals of one session because an upstream
// rejected its token.
const maxRejectionSpacing = 30 * time.Second

func (l life) rejectionSpacing() time.Duration { return min(l.length()/2, maxRejectionSpacing) }

// rejections remember when a token was last renewed because an upstream rejected it. So an API that
// rejects every token does not turn each request into a renewal.
type rejections[K comparable] struct {
	mu sync.Mutex // guards m
	m  *simplelru.LRU[K, time.Time]
}

func newRejections[K comparable]() *rejections[K] {
	m, err := simplelru.NewLRU[K, time.Time](maxPauses, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &rejections[K]{m: m}
}

// allow returns nil if key may be renewed now, and remembers that; otherwise it returns a
// TooSoonError.
func (r *rejections[K]) allow(key K, now time.Time, spacing time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.m.Get(key)
	if since := now.Sub(last); ok && since < spacing {
		return &TooSoonError{spacing - since}
	}
	r.m.Add(key, now)
	return nil
}
