package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session"
)

// silence is the least time without a beat after which the line counts as broken.
const silence = 2 * time.Second

// shortest is the least time that a beat has to be sent in.
const shortest = 250 * time.Millisecond

var (
	errSilent = errors.New("nothing came over the line for too long")
	errHungUp = errors.New("the subscription ended")
)

// Listen implements session.Line by pub/sub. The scripts publish what they do, in the step in which
// they do it, and a subscriber gets what one server published in that order; so a beat that was
// published after a change, at the same server, comes after it. In a Cluster each bucket's primary
// passes its messages on to the others over one connection, in order too: a beat goes through every
// bucket, and the line has proven a moment when all of that moment's beats are there.
func (s *Store) Listen(ctx context.Context, every time.Duration, heard func(session.Change), proven func(time.Time)) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pulse{store: s, client: c, channel: s.keys.beats(rand.Text()), sent: map[uint64]*round{}, proven: proven}
	stands := make(chan struct{})
	stand := sync.OnceFunc(func() { close(stands) })
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" && s.Channel == p.channel {
			stand()
		}
	})
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil) // before waiting
	beating.Go(func() { p.beat(ctx, stands, every, cancel) })

	err = c.Dedicated(func(d rueidis.DedicatedClient) error {
		return d.Receive(hooked, d.B().Subscribe().Channel(s.keys.changes(), p.channel).Build(), func(m rueidis.PubSubMessage) {
			if m.Channel == p.channel {
				p.back(m.Message)
			} else if change, ok := parseChange(m.Message); ok {
				heard(change)
			}
		})
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		err = errHungUp
	}
	return err
}

// A pulse sends beats through the servers and notes when they come back.
type pulse struct {
	store   *Store
	client  rueidis.Client
	channel string
	proven  func(time.Time)

	mu   sync.Mutex // guards what follows; proven is called under it, by the receiver alone
	sent map[uint64]*round
	last time.Time // when a round was complete
}

// A round is the beats of one moment.
type round struct {
	at      time.Time
	missing int
}

// beat sends rounds once the subscription stands, until ctx ends, and ends it when no round was completed
// for too long.
func (p *pulse) beat(ctx context.Context, stands <-chan struct{}, every time.Duration, broken context.CancelCauseFunc) {
	limit := max(4*every, silence)
	select {
	case <-stands:
	case <-ctx.Done():
		return
	case <-time.After(limit):
		broken(errSilent)
		return
	}
	p.mu.Lock()
	p.last = time.Now()
	p.mu.Unlock()
	t := time.NewTicker(every)
	defer t.Stop()
	for n := uint64(1); ; n++ {
		p.send(ctx, n, max(every, shortest))
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		p.mu.Lock()
		silent := time.Since(p.last) > limit
		p.mu.Unlock()
		if silent {
			broken(errSilent)
			return
		}
	}
}

// send sends one round. One that fails in part is never complete, and the next one may be.
func (p *pulse) send(ctx context.Context, n uint64, atMost time.Duration) {
	places := 1
	if p.client.Mode() == rueidis.ClientModeCluster {
		places = buckets
	}
	p.mu.Lock()
	p.sent[n] = &round{time.Now(), places}
	for old := range p.sent {
		if old+16 < n {
			delete(p.sent, old)
		}
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	var beats sync.WaitGroup
	for b := range places {
		beats.Go(func() {
			_ = scriptBeat.Exec(ctx, p.client, []string{p.store.keys.due(b)}, []string{p.channel, strconv.FormatUint(n, 10)}).Error()
		})
	}
	beats.Wait()
}

// back notes a beat that came round. Rounds can be completed out of turn; an older one proves nothing new.
func (p *pulse) back(message string) {
	n, err := strconv.ParseUint(message, 10, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.sent[n]
	if r == nil {
		return
	}
	if r.missing--; r.missing > 0 {
		return
	}
	for old := range p.sent {
		if old <= n {
			delete(p.sent, old)
		}
	}
	p.last = time.Now()
	p.proven(r.at)
}

// parseChange reads what a script published; see scripts.go.
func parseChange(message string) (session.Change, bool) {
	var c session.Change
	parts := strings.Split(message, " ")
	if len(parts) < 3 {
		return c, false
	}
	c.Name = session.Name(parts[1])
	numbers := make([]int64, 0, 2)
	if parts[0] != "e" {
		for _, part := range parts[2:] {
			n, err := strconv.ParseInt(part, 10, 64)
			if err != nil {
				return c, false
			}
			numbers = append(numbers, n)
		}
	}
	switch {
	case parts[0] == "u" && len(numbers) == 1:
		c.Kind, c.Version = session.RecordUpdated, uint64(numbers[0])
	case parts[0] == "t" && len(numbers) == 2:
		c.Kind, c.LastActive, c.IdleExpires = session.RecordTouched, at(numbers[0]), at(numbers[1])
	case parts[0] == "e":
		c.Kind, c.Reason = session.RecordEnded, session.Reason(parts[2])
	default:
		return c, false
	}
	return c, true
}

var _ session.Line = (*Store)(nil)
