package revocation

import (
	"context"
	"log/slog"
)

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
