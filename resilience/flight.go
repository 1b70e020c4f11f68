package resilience

import (
	"context"

	"golang.org/x/sync/singleflight"
)

// A Flight is work that is done once at a time for all who want its outcome. Its zero value is ready
// for use. It is safe for concurrent use.
type Flight[T any] struct{ group singleflight.Group }

// Do waits for the work under way, which it starts if there is none. It returns ctx's cause when ctx
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

// Forget has the next Do start anew while the work under way has yet to return. The work calls it
// itself, under the lock that guards its outcome and the decision to start another.
func (f *Flight[T]) Forget() { f.group.Forget("") }
