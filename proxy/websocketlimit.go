package proxy

import (
	"sync"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// openWebSockets counts the WebSockets of each session at this replica, including handshakes in
// progress. The limit is needed because a script can open thousands, and each takes two connections
// and memory.
type openWebSockets struct {
	most int // per session; 0 means no limit

	mu        sync.Mutex // guards bySession
	bySession map[session.Name]int
}

// add counts a WebSocket until done is called. The error is 429 if the session has too many.
func (o *openWebSockets) add(name session.Name) (done func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.most > 0 && o.bySession[name] >= o.most {
		return nil, problem.New(problem.RateLimited).WithDetail("this session has too many WebSockets open")
	}
	if o.bySession == nil {
		o.bySession = map[session.Name]int{}
	}
	o.bySession[name]++
	return func() { o.remove(name) }, nil
}

func (o *openWebSockets) remove(name session.Name) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bySession[name]--; o.bySession[name] == 0 {
		delete(o.bySession, name)
	}
}
