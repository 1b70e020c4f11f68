package provider

import (
	"context"
	"time"
)

// awakeSteps is in how many pieces a time is measured: no more than one of them is cut short by being frozen.
const awakeSteps = 8

// awake is ctx until the process has been running for the given time. A process that is frozen (a virtual machine that
// moves, a container that is paused) finds the provider's answer waiting when it wakes, and a deadline that counts
// its sleep would throw it away: with it a refresh token that is spent, and the session.
func awake(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	step := max(within/awakeSteps, 1)
	left, began := awakeSteps, time.Now()
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(step, func() { // never twice at once: each sets off the next
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
