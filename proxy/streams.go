package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// errSessionOver is why a request under way was cut.
var errSessionOver = errors.New("the session is over")

// streams knows the requests under way of each session, so that they end with it: a WebSocket that
// is always busy too, at the session's absolute limit at the latest (WS4).
type streams struct {
	mu     sync.Mutex // guards byName
	byName map[session.Name]map[*stream]struct{}
}

type stream struct{ cancel context.CancelCauseFunc }

func newStreams() *streams { return &streams{byName: map[session.Name]map[*stream]struct{}{}} }

// open registers a request until done is called. Its context ends when the session does, after left
// at the latest.
func (s *streams) open(ctx context.Context, name session.Name, left time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	st := &stream{cancel}
	limit := time.AfterFunc(left, func() { cancel(errSessionOver) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[name] == nil {
		s.byName[name] = map[*stream]struct{}{}
	}
	s.byName[name][st] = struct{}{}
	return ctx, func() { limit.Stop(); s.close(name, st); cancel(nil) }
}

func (s *streams) close(name session.Name, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName[name], st)
	if len(s.byName[name]) == 0 {
		delete(s.byName, name)
	}
}

// end cuts every request of a session.
func (s *streams) end(name session.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.byName[name] {
		st.cancel(errSessionOver)
	}
}
