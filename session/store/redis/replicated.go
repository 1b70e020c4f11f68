package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"
)

// maxWaitReplicas is the most that wait_replicas may ask for.
const maxWaitReplicas = 5

// waitTime is how long replicas may take to confirm a write. It is less than any caller waits for
// the write, so that the caller gets the error that says why.
const waitTime = 500 * time.Millisecond

// replicated returns nil once as many replicas as wait_replicas demands have confirmed all that was
// written so far to the slots of keys; at once if it demands none. An error means that the write
// was done at the primary, but a fail-over may undo it: the outcome is unknown.
func (s *Store) replicated(ctx context.Context, c *client, keys ...string) error {
	if s.waitReplicas == 0 || len(keys) == 0 {
		return nil
	}
	if c.Mode() != rueidis.ClientModeCluster {
		keys = keys[:1] // one primary has all slots
	}
	var waits errgroup.Group
	for _, key := range keys {
		waits.Go(func() error { return s.slotReplicated(ctx, c, key) })
	}
	return waits.Wait()
}

// slotReplicated is replicated for one slot.
//
// WAIT covers only what its own connection has written, and the connections that write are shared.
// So a mark is written on a dedicated connection after the write, and the replication stream keeps
// their order.
func (s *Store) slotReplicated(ctx context.Context, c *client, key string) error {
	return c.Dedicated(func(d rueidis.DedicatedClient) error {
		answers := d.DoMulti(ctx,
			d.B().Set().Key(key).Value("1").PxMilliseconds(waitTime.Milliseconds()).Build(),
			d.B().Wait().Numreplicas(s.waitReplicas).Timeout(waitTime.Milliseconds()).Build())
		if err := answers[0].Error(); err != nil {
			return fmt.Errorf("mark what was written: %w", err)
		}
		n, err := answers[1].AsInt64()
		if err != nil {
			return fmt.Errorf("wait for replicas: %w", err)
		}
		if n < s.waitReplicas {
			return fmt.Errorf(
				"it was written, but after %s %d replicas have it, and wait_replicas is %d",
				waitTime, n, s.waitReplicas,
			)
		}
		return nil
	})
}
