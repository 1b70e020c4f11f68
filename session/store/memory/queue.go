package memory

import (
	"container/heap"
	"time"
)

// A queue orders keys by when they are due. What becomes of a key in between is not looked for in the
// queue: whoever takes it out checks whether it still is what it was, and puts it back if it is not.
type queue[K any] struct{ items dueItems[K] }

type dueItem[K any] struct {
	at  time.Time
	key K
}

func (q *queue[K]) add(at time.Time, key K) { heap.Push(&q.items, dueItem[K]{at, key}) }

// take removes the first item that is due by now.
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
	(*d)[last] = dueItem[K]{} // let go of the key
	*d = (*d)[:last]
	return item
}
