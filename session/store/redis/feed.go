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
	errUnsubscribed  = errors.New("the subscription ended")
	errNotSubscribed = errors.New("the server does not confirm the subscription")
)

// Listen implements storage.ChangeFeed by pub/sub. A script publishes a change in the same atomic
// step that makes it, and a subscriber receives the messages of one server in the order in which
// they were published. So a beat that is published after a change, at the same server, arrives
// after it. In a Cluster each bucket's primary forwards its messages to the other nodes over one
// connection, also in order. A round of beats therefore goes through every bucket, and it proves
// the moment when it was sent once all its beats are back.
func (s *Store) Listen(
	ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time),
) error {
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
	send := func(ctx context.Context, place int, beat string) error {
		return scriptBeat.Exec(ctx, c, []string{s.keys.due(place)}, []string{beats, beat}).Error()
	}
	heartbeat := liveness.NewHeartbeat(places, send)
	subscribed := make(chan struct{})
	confirm := sync.OnceFunc(func() { close(subscribed) })
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" && s.Channel == beats {
			confirm()
		}
	})
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil) // before the wait
	beating.Go(func() {
		select {
		case <-c.abandoned: // other replicas look for this one's subscription where the leases are
			cancel(c.cause)
		case <-ctx.Done():
		}
	})
	beating.Go(func() { beatOnceSubscribed(ctx, subscribed, heartbeat, every, cancel) })

	err = c.Dedicated(func(d rueidis.DedicatedClient) error {
		subscribe := d.B().Subscribe().Channel(s.keys.changes(), beats).Build()
		return d.Receive(hooked, subscribe, func(m rueidis.PubSubMessage) {
			at, isBeat := heartbeat.Back(m.Message)
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
		err = errUnsubscribed
	}
	return err
}

// beatOnceSubscribed waits for the subscription and then sends beats. If the server does not confirm
// it in time, the feed is broken.
func beatOnceSubscribed(
	ctx context.Context, subscribed <-chan struct{},
	heartbeat *liveness.Heartbeat, every time.Duration, broken context.CancelCauseFunc,
) {
	select {
	case <-subscribed:
		heartbeat.Beat(ctx, every, broken)
	case <-ctx.Done():
	case <-time.After(answerTime):
		broken(errNotSubscribed)
	}
}
