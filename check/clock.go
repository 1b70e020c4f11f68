package check

import (
	"fmt"
	"time"
)

// Limits of the difference between this machine's clock and the store's. With NTP it is less than
// clockWarning; one of more than clockWrong means that the clock is not synchronized.
const (
	clockWarning = time.Second
	clockWrong   = time.Minute
)

// checkClock reports how far this machine's clock is ahead of the store's, which all replicas use.
func checkClock(kind string, ahead time.Duration) Finding {
	f := Finding{
		Area: "clock", Name: "this machine", Status: OK,
		Detail: "agrees with the clock of the " + kind + " store",
	}
	if ahead.Abs() <= clockWarning {
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
	f.Detail = fmt.Sprintf("is %s %s the clock of the %s store, which all replicas use",
		ahead.Abs().Round(100*time.Millisecond), which, kind)
	f.Remedy = "synchronize both machines' clocks by NTP: `timedatectl` shows whether it is active"
	return f
}
