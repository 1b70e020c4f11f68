package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/liveness"
)

var (
	errHungUp        = errors.New("the subscription ended")
	errNotSubscribed = errors.New("the server does not confirm the subscription")
)

// Listen implements storage.ChangeFeed by pub/sub. The scripts publish what they do, in the step in which
// they do it, and a subscriber gets what one server published in that order; so a beat that was
// published after a change, at the same server, comes after it. In a Cluster each bucket's primary
// passes its messages on to the others over one connection, in order too: a beat goes through every
// bucket, and the feed has proven a moment when all of that moment's beats are there.
func (s *Store) Listen(ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time)) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := 1
	if c.Mode() == rueidis.ClientModeCluster {
		places = buckets
	}
	beats := s.keys.beats(s.process)
	p := liveness.NewHeartbeat(places, func(ctx context.Context, place int, beat string) error {
		return scriptBeat.Exec(ctx, c, []string{s.keys.due(place)}, []string{beats, beat}).Error()
	})
	stands := make(chan struct{})
	stand := sync.OnceFunc(func() { close(stands) })
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" && s.Channel == beats {
			stand()
		}
	})
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil) // before waiting
	beating.Go(func() {
		select {
		case <-c.left: // others look for this process where the leases are
			cancel(c.why)
		case <-ctx.Done():
		}
	})
	beating.Go(func() {
		select {
		case <-stands:
			p.Beat(ctx, every, cancel)
		case <-ctx.Done():
		case <-time.After(answerTime):
			cancel(errNotSubscribed)
		}
	})

	err = c.Dedicated(func(d rueidis.DedicatedClient) error {
		return d.Receive(hooked, d.B().Subscribe().Channel(s.keys.changes(), beats).Build(), func(m rueidis.PubSubMessage) {
			at, isBeat := p.Back(m.Message)
			if !at.IsZero() {
				proven(at)
			}
			if change, ok := storage.ParseChange(m.Message); ok && !isBeat {
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
