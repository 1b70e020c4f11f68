// Package liveness is what stores on servers share to tell the living from the dead: a Heartbeat proves
// that a change feed still brings everything, and a Detector tells a process that died from one that is
// only slow. It goes by this process's monotonic clock, and does not know how a store sends or listens.
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
	// silence is the least time without a beat after which a feed counts as broken.
	silence = 2 * time.Second
	// shortestSend is the least time that a beat has to be sent in.
	shortestSend = 250 * time.Millisecond
	// stall is how much longer than planned a round takes if the process was frozen.
	stall = time.Second
	// roundsKept is how many rounds of beats may be on their way.
	roundsKept = 64
)

var errSilent = errors.New("nothing came over the line for too long")

// A Heartbeat is how a store's change feed proves itself: it sends beats the way that changes go, and when all beats of
// a round are back, whatever was done before they were sent has been heard.
type Heartbeat struct {
	places int
	send   func(ctx context.Context, place int, beat string) error
	id     string // tells our beats from other listeners'

	mu   sync.Mutex // guards what follows
	sent map[uint64]*round
	last time.Time // when a round was complete
}

// A round is the beats of one moment.
type round struct {
	at      time.Time
	missing map[int]struct{} // places
}

// NewHeartbeat makes a Heartbeat that sends each round's beats through so many places.
func NewHeartbeat(places int, send func(ctx context.Context, place int, beat string) error) *Heartbeat {
	return &Heartbeat{places: places, send: send, id: rand.Text(), sent: map[uint64]*round{}}
}

// Beat sends a round at once and then at every interval until ctx ends, and calls broken when none has come
// back whole for four of them, and two seconds at least. Time in which this process was frozen does not count: what
// came meanwhile waits to be read, and others tell from the feed that the process lives.
func (p *Heartbeat) Beat(ctx context.Context, every time.Duration, broken context.CancelCauseFunc) {
	limit := max(4*every, silence)
	p.mu.Lock()
	p.last = time.Now()
	p.mu.Unlock()
	t := time.NewTicker(every)
	defer t.Stop()
	for n := uint64(1); ; n++ {
		began := time.Now()
		p.round(ctx, n, max(every, shortestSend))
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		p.mu.Lock()
		if took := now.Sub(began); took > 2*max(every, shortestSend)+stall {
			p.last = now
		}
		silent := now.Sub(p.last) > limit
		p.mu.Unlock()
		if silent {
			broken(errSilent)
			return
		}
	}
}

// round sends one. One that fails in part is never whole, and the next one may be.
func (p *Heartbeat) round(ctx context.Context, n uint64, atMost time.Duration) {
	r := &round{time.Now(), map[int]struct{}{}}
	for place := range p.places {
		r.missing[place] = struct{}{}
	}
	p.mu.Lock()
	p.sent[n] = r
	delete(p.sent, n-roundsKept)
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	var beats sync.WaitGroup
	for place := range p.places {
		beats.Go(func() {
			_ = p.send(ctx, place, "b "+p.id+" "+strconv.FormatUint(n, 10)+" "+strconv.Itoa(place)) // it is missed if it is lost
		})
	}
	beats.Wait()
}

// Back takes what came over the feed and reports whether it is a beat; with it the moment that the feed has
// proven, the zero time if there is none new.
func (p *Heartbeat) Back(text string) (proven time.Time, isBeat bool) {
	parts := strings.Split(text, " ")
	if parts[0] != "b" {
		return time.Time{}, false
	}
	if len(parts) != 4 || parts[1] != p.id {
		return time.Time{}, true
	}
	n, err := strconv.ParseUint(parts[2], 10, 64)
	place, err2 := strconv.Atoi(parts[3])
	if err != nil || err2 != nil {
		return time.Time{}, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.sent[n]
	if r == nil {
		return time.Time{}, true
	}
	if delete(r.missing, place); len(r.missing) > 0 {
		return time.Time{}, true
	}
	for old := range p.sent { // rounds can be whole out of turn; an older one proves nothing new
		if old <= n {
			delete(p.sent, old)
		}
	}
	p.last = time.Now()
	return r.at, true
}
