package memory

import (
	"container/heap"
	"time"
)

// A queue orders keys by the time that they are due. It is not told when a key changes: the caller
// checks each key that it takes, and adds it again if it is due later.
type queue[K any] struct{ items dueItems[K] }

type dueItem[K any] struct {
	at  time.Time
	key K
}

func (q *queue[K]) add(at time.Time, key K) { heap.Push(&q.items, dueItem[K]{at, key}) }

// take removes and returns the first item if it is due.
func (q *queue[K]) take(now time.Time) (dueItem[K], bool) {
	if len(q.items) == 0 || q.items[0].at.After(now) {
		return dueItem[K]{}, false
	}
	return heap.Pop(&q.items).(dueItem[K]), true
}

// dueItems implements heap.Interface.
type dueItems[K any] []dueItem[K]

func (d dueItems[K]) Len() int           { return len(d) }
func (d dueItems[K]) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dueItems[K]) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dueItems[K]) Push(x any)        { *d = append(*d, x.(dueItem[K])) }
func (d *dueItems[K]) Pop() any {
	last := len(*d) - 1
	item := (*d)[last]
	(*d)[last] = dueItem[K]{} // so that the garbage collector can free the key
	*d = (*d)[:last]
	return item
}
