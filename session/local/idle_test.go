package local

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleTimeOutsStandStillInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 30 * time.Minute
		began := time.Now()
		absolute := began.Add(5 * time.Hour)
		c := NewIdleClock(timeout, time.Now, nil)
		wants := func(when string, want time.Time) {
			t.Helper()
			if got := c.Expiry(began.Add(timeout), began, absolute); !got.Equal(want) {
				t.Errorf("%s: it expires after %v, want %v", when, got.Sub(began), want.Sub(began))
			}
		}
		wants("before", began.Add(timeout))
		time.Sleep(10 * time.Minute)
		c.Up()
		c.Fails()
		wants("in the outage", absolute)
		time.Sleep(time.Hour)
		c.Up()
		wants("after an hour of it", began.Add(timeout+time.Hour))
		if until := c.SweepUntil(time.Now()); !until.Equal(time.Now().Add(-time.Hour)) {
			t.Errorf("sessions are swept that ran out %v ago, want an hour", time.Since(until))
		}
		c.Fails()
		time.Sleep(4 * time.Hour)
		c.Up()
		wants("after one that lasts for too long", absolute)
	})
}
