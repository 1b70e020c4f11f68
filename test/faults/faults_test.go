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

// TestChaos goes on with faults at random for as long as CHAOS says.
func TestChaos(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("CHAOS"))
	if err != nil {
		t.Log("CHAOS=10m make chaos goes on with faults at random for ten minutes; without it there is nothing to do here")
		return
	}
	w := overRedis(t, 200)
	for deadline := time.Now().Add(lasts); time.Now().Before(deadline) && !t.Failed(); {
		w.suffer(faults[rand.IntN(len(faults))])
	}
	w.judge()
}
