package proxy

import (
	"sync"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// openWebSockets counts the WebSockets of each session at this replica, handshakes under way included. Each is two
// connections and some memory for as long as whoever opened it likes, and a few lines of script open thousands.
type openWebSockets struct {
	most int // of one session; 0: any number

	mu        sync.Mutex // guards bySession
	bySession map[session.Name]int
}

// add counts one more until done is called.
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
