package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// errSessionOver is why a request under way was cut.
var errSessionOver = errors.New("the session is over")

// withSession is ctx until the session ends, at its absolute limit at the latest: a WebSocket that is always
// busy is no reason for it to last longer (WS4). The function returned must be called.
func (p *Proxy) withSession(ctx context.Context, s *session.Session) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	detach := p.Sessions.Attach(s.Name, func(session.Reason) { cancel(errSessionOver) })
	limit := time.AfterFunc(s.Record.ExpiresAt.Sub(p.Now()), func() { cancel(errSessionOver) })
	return ctx, func() { limit.Stop(); detach(); cancel(nil) }
}
