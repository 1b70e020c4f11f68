package liveness_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/store/liveness"
)

// A process counts as dead once it was not listening in any check for two seconds.
func TestBriefAbsenceIsNotDeath(t *testing.T) {
	const lease = 30 * time.Second
	type check struct {
		after   time.Duration
		listens bool
		ttl     time.Duration
		gone    bool
	}
	for name, checks := range map[string][]check{
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
		"absent twice, an hour apart": {
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
				for i, l := range checks {
					time.Sleep(l.after)
					if gone := a.Gone("p", l.listens, l.ttl); gone != l.gone {
						t.Errorf("check %d: gone = %v, want %v", i, gone, l.gone)
					}
					if a.Gone("another", true, l.ttl) {
						t.Error("a process that listens counts as dead")
					}
				}
			})
		})
	}
}
