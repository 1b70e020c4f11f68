package revocation

import (
	"context"
	"log/slog"
)

// An outage logs the beginning and the end of a series of failures.
type outage struct {
	log   *slog.Logger
	what  string
	tries int // failures in a row
}

// note records the result of an attempt.
func (o *outage) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // shutting down: not the store's fault
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
