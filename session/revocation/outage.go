package revocation

import (
	"context"
	"log/slog"
	"time"
)

// maxStretch is how many intervals an outage makes of one.
const maxStretch = 16

// An outage tells of a failure that goes on for long once, and of its end.
type outage struct {
	log   *slog.Logger
	what  string
	tries int // failed in a row
}

func (o *outage) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // stopping: not the store's fault
	case err == nil && o.tries > 0:
		o.log.Info("over: "+o.what, "tries", o.tries)
		o.tries = 0
	case err != nil:
		if o.tries == 0 {
			o.log.Error(o.what, "error", err)
		}
		o.tries++
	}
}

// stretch is the interval to the next try: longer while failures go on.
func (o *outage) stretch(interval time.Duration) time.Duration {
	return interval * time.Duration(min(1<<min(o.tries, 10), maxStretch))
}
