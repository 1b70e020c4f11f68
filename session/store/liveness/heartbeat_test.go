package liveness_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/liveness"
)

// A process that was frozen keeps its feed: the messages that arrived meanwhile are still to be
// read. A feed that delivers nothing is broken.
func TestFeedSurvivesAFrozenProcess(t *testing.T) {
	const every = 500 * time.Millisecond
	for name, tt := range map[string]struct {
		frozen time.Duration
		silent bool
		broken bool
	}{
		"well":                {0, false, false},
		"frozen for a while":  {20 * time.Second, false, false},
		"silent":              {0, true, true},
		"frozen, then silent": {20 * time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var p *liveness.Heartbeat
				rounds := 0
				p = liveness.NewHeartbeat(1, func(_ context.Context, _ int, beat string) error {
					rounds++
					if rounds == 3 {
						time.Sleep(tt.frozen)
						return nil // this beat has not come back yet when the process wakes
					}
					if rounds < 4 || !tt.silent {
						p.Back(beat)
					}
					return nil
				})
				var broke atomic.Bool
				go p.Beat(ctx, every, func(cause error) { broke.Store(true); cancel(cause) })
				time.Sleep(tt.frozen + 10*time.Second)
				if broke.Load() != tt.broken {
					t.Errorf("broken = %v, want %v", !tt.broken, tt.broken)
				}
			})
		})
	}
}
