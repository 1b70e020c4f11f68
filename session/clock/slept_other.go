//go:build !linux

package clock

import "time"

// sleepIsKnown is false here: if the machine's clock has run ahead of the monotonic one, the
// machine is assumed to have slept.
const sleepIsKnown = false

func slept() time.Duration { return 0 }
