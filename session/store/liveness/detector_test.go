package liveness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/liveness"
)

// A process is dead once it was looked for and not found for two seconds in a row.
func TestWhoIsAwayForAMomentIsNotDead(t *testing.T) {
	const lease = 30 * time.Second
	type look struct {
		after   time.Duration
		listens bool
		ttl     time.Duration
		gone    bool
	}
	for name, looks := range map[string][]look{
		"dead": {
			{0, false, lease, false},
			{time.Second, false, lease, false},
			{time.Second, false, lease, true},
			{time.Second, false, lease, true},
		},
		"back after a moment": {
			{0, false, lease, false},
			{time.Second, true, lease, false},
			{time.Second, false, lease, false},
			{time.Second, false, lease, false},
		},
		"away twice, long between": {
			{0, false, lease, false},
			{time.Hour, false, lease, false},
			{2 * time.Second, false, lease, true},
		},
		"a short lease": {
			{0, false, 300 * time.Millisecond, false},
			{100 * time.Millisecond, false, 300 * time.Millisecond, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a liveness.Detector[string]
				for i, l := range looks {
					time.Sleep(l.after)
					if gone := a.Gone("p", l.listens, l.ttl); gone != l.gone {
						t.Errorf("look %d: gone = %v, want %v", i, gone, l.gone)
					}
					if a.Gone("another", true, l.ttl) {
						t.Error("one that listens is gone")
					}
				}
			})
		})
	}
}
