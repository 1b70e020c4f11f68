// Package liveness is what server-based stores share to detect failures: a Heartbeat proves that a
// change feed still delivers every change, and a Detector tells a process that has died from one
// that is only slow. It goes by this process's monotonic clock, and does not know how a store sends
// or listens.
package liveness

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// minSilence is the least time without a beat after which a feed counts as broken.
	minSilence = 2 * time.Second
	// minSendTime is the least time-out of a send.
	minSendTime = 250 * time.Millisecond
	// frozenFor is how much longer than planned a round takes if the process was frozen.
	frozenFor = time.Second
	// maxRounds is how many rounds of beats may be in transit.
	maxRounds = 64
)

var errSilent = errors.New("no beat came back over the change feed for too long")

// A Heartbeat proves that a store's change feed works. It sends beats along the path that changes
// take. When all beats of a round have come back, every change made before they were sent has been
// delivered.
type Heartbeat struct {
	places int
	send   func(ctx context.Context, place int, beat string) error
	id     string // tells this Heartbeat's beats from those of other processes

	mu   sync.Mutex // guards the fields below
	sent map[uint64]*round
	last time.Time // when a round was complete
}

// A round is a set of beats that are sent together, one for each place.
type round struct {
	at      time.Time
	missing map[int]struct{} // places
}

// NewHeartbeat makes a Heartbeat that sends one beat of each round through each of the places,
// which are numbered from 0.
func NewHeartbeat(
	places int, send func(ctx context.Context, place int, beat string) error,
) *Heartbeat {
	return &Heartbeat{places: places, send: send, id: rand.Text(), sent: map[uint64]*round{}}
}

// Beat sends a round at once and then at every interval until ctx ends. It calls broken and returns
// when no round has come back complete for four intervals, and for two seconds at least. Time in
// which this process was frozen does not count: what arrived meanwhile is still to be read.
func (h *Heartbeat) Beat(ctx context.Context, every time.Duration, broken context.CancelCauseFunc) {
	limit := max(4*every, minSilence)
	h.mu.Lock()
	h.last = time.Now()
	h.mu.Unlock()
	t := time.NewTicker(every)
	defer t.Stop()
	for n := uint64(1); ; n++ {
		began := time.Now()
		h.round(ctx, n, max(every, minSendTime))
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		h.mu.Lock()
		if took := now.Sub(began); took > 2*max(every, minSendTime)+frozenFor {
			h.last = now
		}
		silent := now.Sub(h.last) > limit
		h.mu.Unlock()
		if silent {
			broken(errSilent)
			return
		}
	}
}

// round sends one round. If a send fails, the round never completes; the next one may.
func (h *Heartbeat) round(ctx context.Context, n uint64, timeout time.Duration) {
	r := &round{time.Now(), map[int]struct{}{}}
	for place := range h.places {
		r.missing[place] = struct{}{}
	}
	h.mu.Lock()
	h.sent[n] = r
	delete(h.sent, n-maxRounds)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var beats sync.WaitGroup
	for place := range h.places {
		beats.Go(func() {
			beat := "b " + h.id + " " + strconv.FormatUint(n, 10) + " " + strconv.Itoa(place)
			_ = h.send(ctx, place, beat) // a lost beat shows as missing
		})
	}
	beats.Wait()
}

// Back takes a message from the feed and reports whether it is a beat. If it completes a round,
// proven is the moment that the round was sent; otherwise it is the zero time.
func (h *Heartbeat) Back(text string) (proven time.Time, isBeat bool) {
	parts := strings.Split(text, " ")
	if parts[0] != "b" {
		return time.Time{}, false
	}
	if len(parts) != 4 || parts[1] != h.id {
		return time.Time{}, true
	}
	n, err := strconv.ParseUint(parts[2], 10, 64)
	place, err2 := strconv.Atoi(parts[3])
	if err != nil || err2 != nil {
		return time.Time{}, true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.sent[n]
	if r == nil {
		return time.Time{}, true
	}
	if delete(r.missing, place); len(r.missing) > 0 {
		return time.Time{}, true
	}
	for old := range h.sent { // rounds can complete out of order; an older one proves nothing new
		if old <= n {
			delete(h.sent, old)
		}
	}
	h.last = time.Now()
	return r.at, true
}
