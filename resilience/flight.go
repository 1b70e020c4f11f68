package resilience

import (
	"context"

	"golang.org/x/sync/singleflight"
)

// A Flight runs work once at a time and gives its outcome to all concurrent callers. The zero value
// is ready to use. It is safe for concurrent use.
type Flight[T any] struct{ group singleflight.Group }

// Do starts the work unless it is already running, and waits for its outcome. If ctx ends first, Do
// returns its cause; the work continues, because other callers may wait for it.
func (f *Flight[T]) Do(ctx context.Context, work func() (T, error)) (T, error) {
	return f.Start(work)(ctx)
}

// Start starts the work unless it is already running. The returned function waits as Do does.
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

// Forget makes the next Do start the work again, even if the current work has not returned yet. The
// work itself calls it, while it holds the lock that guards its outcome.
func (f *Flight[T]) Forget() { f.group.Forget("") }
