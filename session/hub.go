package session

import "sync"

// A Kind says what an Event tells.
type Kind int

// The kinds of events.
const (
	Changed Kind = iota + 1 // the record was written anew: Session is the new one
	Ended                   // the session is over: Reason says why; nothing follows
)

// An Event is what a subscriber hears of a session.
type Event struct {
	Kind    Kind
	Session *Session // with Changed
	Reason  Reason   // with Ended
}

// A hub tells subscribers in this process what happens to a session. It owns their channels; no
// subscriber can hold a writer up.
type hub struct {
	mu   sync.Mutex // guards subs and every send and close
	subs map[Name]map[*subscriber]struct{}
}

type subscriber struct{ events chan Event }

func newHub() *hub { return &hub{subs: map[Name]map[*subscriber]struct{}{}} }

func (h *hub) subscribe(n Name) (<-chan Event, func()) {
	s := &subscriber{make(chan Event, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[n] == nil {
		h.subs[n] = map[*subscriber]struct{}{}
	}
	h.subs[n][s] = struct{}{}
	return s.events, func() { h.unsubscribe(n, s) }
}

func (h *hub) unsubscribe(n Name, s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs[n], s)
	if len(h.subs[n]) == 0 {
		delete(h.subs, n)
	}
}

// publish hands e to every subscriber of n. An event that was not taken yet gives way to the newer
// one: a change is outdated by the next, and everything by the end.
func (h *hub) publish(n Name, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs[n] {
		select {
		case <-s.events:
		default:
		}
		s.events <- e // there is room: we hold the lock, and no one else sends
		if e.Kind == Ended {
			close(s.events)
		}
	}
	if e.Kind == Ended {
		delete(h.subs, n)
	}
}
