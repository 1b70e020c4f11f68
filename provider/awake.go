package provider

import (
	"context"
	"time"
)

// awakeSteps is the number of steps in which a timeout is measured. A step during which the process
// was frozen does not count.
const awakeSteps = 8

// withAwakeTimeout is context.WithTimeout, but only time during which the process runs counts. A
// process can be frozen (a virtual machine that migrates, a container that is paused), and when it
// resumes, the provider's answer may be waiting already. A timeout that counted the freeze would
// discard that answer. The refresh token in the request may be used up, so the session would be
// lost.
func withAwakeTimeout(
	ctx context.Context, within time.Duration,
) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	step := max(within/awakeSteps, 1)
	left, began := awakeSteps, time.Now()
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(step, func() { // runs do not overlap: each starts the next
		<-armed
		if time.Since(began) < 2*step+time.Second {
			left--
		}
		if left == 0 {
			cancel(context.DeadlineExceeded)
		}
		if ctx.Err() != nil {
			return
		}
		began = time.Now()
		timer.Reset(step)
	})
	close(armed)
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}
