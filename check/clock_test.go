package check

import (
	"strings"
	"testing"
	"time"
)

func TestMachineWhoseClockIsOffIsFound(t *testing.T) {
	for ahead, want := range map[time.Duration]struct {
		status Status
		text   string
	}{
		0:                       {OK, "agrees"},
		-900 * time.Millisecond: {OK, "agrees"},
		1500 * time.Millisecond: {Warning, "is 1.5s ahead of the clock of the redis store"},
		-59 * time.Second:       {Warning, "is 59s behind the clock of the redis store"},
		3 * time.Minute:         {Wrong, "3m0s ahead"},
		-24 * time.Hour:         {Wrong, "24h0m0s behind"},
	} {
		f := checkClock("redis", ahead)
		if f.Area != "clock" || f.Status != want.status || !strings.Contains(f.Detail, want.text) {
			t.Errorf("ahead %v: %+v, want %s: %s", ahead, f, want.status, want.text)
		}
		if (f.Remedy == "") != (want.status == OK) {
			t.Errorf("ahead %v: remedy = %q with status %s", ahead, f.Remedy, f.Status)
		}
	}
}
