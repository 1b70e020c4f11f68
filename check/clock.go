package check

import (
	"fmt"
	"time"
)

// Clocks that are kept by NTP are apart by less than clockWarns; more than clockWrong is a machine that nobody keeps.
const (
	clockWarns = time.Second
	clockWrong = time.Minute
)

// checkClock judges how far this machine's clock is ahead of the store's, by which replicas go.
func checkClock(kind string, ahead time.Duration) Finding {
	f := Finding{Area: "clock", Name: "this machine", Status: OK, Detail: "agrees with the clock of the " + kind + " store"}
	if ahead.Abs() <= clockWarns {
		return f
	}
	f.Status = Warning
	if ahead.Abs() > clockWrong {
		f.Status = Wrong
	}
	which := "ahead of"
	if ahead < 0 {
		which = "behind"
	}
	f.Detail = fmt.Sprintf("is %s %s the clock of the %s store, which replicas go by", ahead.Abs().Round(100*time.Millisecond), which, kind)
	f.Remedy = "keep both machines' clocks by NTP: `timedatectl` says whether it runs"
	return f
}
