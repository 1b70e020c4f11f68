package resilience

import (
	"context"

	"golang.org/x/sync/singleflight"
)

// A Flight is work that is done once for all who want its outcome at a time. Its zero value is ready
// for use, and safe for concurrent use.
type Flight[T any] struct{ group singleflight.Group }

// Do waits for the work under way, which it starts if there is none. It returns ctx's cause when that
// ends first; the work goes on, since others wait for it, too.
func (f *Flight[T]) Do(ctx context.Context, work func() (T, error)) (T, error) {
	return f.Start(work)(ctx)
}

// Start starts the work if none is under way. The outcome is waited for as in Do.
func (f *Flight[T]) Start(work func() (T, error)) (wait func(context.Context) (T, error)) {
	outcome := f.group.DoChan("", func() (any, error) { return work() })
	return func(ctx context.Context) (T, error) {
		select {
		case o := <-outcome:
			value, _ := o.Val.(T)
			return value, o.Err
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
	}
}

// Forget has the next Do start anew, even while the work under way has not returned. The work itself
// calls it once its outcome is settled, where that and the next start are decided under a lock.
func (f *Flight[T]) Forget() { f.group.Forget("") }
