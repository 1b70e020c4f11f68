// Package fairqueue is a semaphore that is fair to keys. A limited number of callers hold a slot at
// once; the others wait. Free slots go to the keys in turn, and to the callers of one key in the
// order of their arrival. So a client that sends a thousand requests at once delays mostly itself.
//
// A Queue limits the number of running callers, not that of waiting ones: the server limits those.
// Its weak point is the key. Callers with the same key, such as all clients behind a proxy that is
// not trusted, wait for each other.
package fairqueue

import (
	"context"
	"slices"
	"sync"
)

// A Queue is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex                 // guards all below
	free    int                        // free slots; more than 0 only while nobody waits
	waiting map[string][]chan struct{} // by key, in order of arrival; none is empty
	turns   []string                   // the keys of waiting, the next one first
}

// New returns a Queue with this number of slots, but at least one.
func New(slots int) *Queue {
	return &Queue{free: max(slots, 1), waiting: make(map[string][]chan struct{})}
}

// Enter waits for a slot. The caller must call leave to release it; further calls of leave do
// nothing. If ctx ends first, leave is nil and the error is ctx's cause.
func (q *Queue) Enter(ctx context.Context, key string) (leave func(), err error) {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return sync.OnceFunc(q.next), nil
	}
	turn := make(chan struct{}, 1)
	if len(q.waiting[key]) == 0 {
		q.turns = append(q.turns, key)
	}
	q.waiting[key] = append(q.waiting[key], turn)
	q.mu.Unlock()
	select {
	case <-turn:
		return sync.OnceFunc(q.next), nil
	case <-ctx.Done():
		q.giveUp(key, turn)
		return nil, context.Cause(ctx)
	}
}

// next passes a released slot to the next waiter, or makes it free.
func (q *Queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) == 0 {
		q.free++
		return
	}
	key := q.turns[0]
	q.turns = q.turns[1:]
	line := q.waiting[key]
	line[0] <- struct{}{} // never blocks: the channel has a buffer of one
	if line = line[1:]; len(line) == 0 {
		delete(q.waiting, key)
		return
	}
	q.waiting[key] = line
	q.turns = append(q.turns, key)
}

// giveUp removes a waiter. If the waiter has got a slot meanwhile, giveUp passes it on.
func (q *Queue) giveUp(key string, turn chan struct{}) {
	q.mu.Lock()
	line := q.waiting[key]
	at := slices.Index(line, turn)
	if at < 0 {
		q.mu.Unlock()
		<-turn
		q.next()
		return
	}
	defer q.mu.Unlock()
	if line = slices.Delete(line, at, at+1); len(line) > 0 {
		q.waiting[key] = line
		return
	}
	delete(q.waiting, key)
	q.turns = slices.DeleteFunc(q.turns, func(k string) bool { return k == key })
}
