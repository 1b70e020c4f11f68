// Package fairqueue lets a bounded number of callers do something at once, and has the others wait
// their turn: first come, first served among those of one key, and turn about among the keys. Whoever
// sends a thousand requests at once waits for their own, and everybody else for one of them.
//
// It bounds what runs, not what waits: each waiter is a request, whose number the server's limits
// hold. Its weak point is the key. Those who share one, such as all who come through a proxy that
// nobody trusts, wait behind each other.
package fairqueue

import (
	"context"
	"slices"
	"sync"
)

// A Queue is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex // guards all below
	free    int        // slots; above 0 only while nobody waits
	waiting map[string][]chan struct{}
	turns   []string // keys with somebody waiting, the next one first
}

// New makes a Queue with as many slots, at least one.
func New(slots int) *Queue {
	return &Queue{free: max(slots, 1), waiting: make(map[string][]chan struct{})}
}

// Enter waits for a slot. leave gives it back, and may be called more than once; it is nil with an
// error, which is ctx's cause.
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
		q.leaveLine(key, turn)
		return nil, context.Cause(ctx)
	}
}

// next hands a slot to whoever's turn it is.
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
	line[0] <- struct{}{} // it has room
	if line = line[1:]; len(line) == 0 {
		delete(q.waiting, key)
		return
	}
	q.waiting[key] = line
	q.turns = append(q.turns, key)
}

// leaveLine takes a waiter out who gave up. A slot that came at the same moment goes on to the next.
func (q *Queue) leaveLine(key string, turn chan struct{}) {
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
