package faults

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

func TestNobodyNoticesAFaultOverRedis(t *testing.T) {
	w := overRedis(t, 200)
	for _, f := range faults {
		w.suffer(f)
	}
	w.judge()
}

func TestNobodyNoticesAFaultOverPostgreSQL(t *testing.T) {
	w := overPostgres(t, 120)
	for _, f := range faults {
		w.suffer(f)
	}
	w.judge()
}

// TestChaos injects random faults for the duration in CHAOS.
func TestChaos(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("CHAOS"))
	if err != nil {
		t.Log("CHAOS=10m make chaos injects random faults for ten minutes; without CHAOS, this test does nothing")
		return
	}
	w := overRedis(t, 200)
	for deadline := time.Now().Add(lasts); time.Now().Before(deadline) && !t.Failed(); {
		w.suffer(faults[rand.IntN(len(faults))])
	}
	w.judge()
}
