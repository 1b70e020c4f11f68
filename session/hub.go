package session

import "sync"

// A Kind is what an Event tells.
type Kind int

// The kinds.
const (
	Changed Kind = iota + 1 // Session is the newest
	Ended                   // Reason says why; nothing comes after it
)

// An Event is something that happened to a session.
type Event struct {
	Kind    Kind
	Reason  Reason
	Session *Session
}

// A hub tells subscribers what happens to sessions in this process. Telling never waits for a
// subscriber: each has room for one event, and a newer one takes the place of one not yet fetched.
type hub struct {
	mu          sync.Mutex // guards subscribers, and sending to any of them
	subscribers map[Name]map[*subscriber]struct{}
}

type subscriber struct {
	events  chan Event // room for one
	version uint64     // of the last event
}

func newHub() *hub { return &hub{subscribers: make(map[Name]map[*subscriber]struct{})} }

// Subscribe tells of what happens to a session from now on, in this process. An event that is not
// fetched in time gives way to a newer one; after Ended the channel is closed. The function returned
// ends the subscription and must be called. To miss nothing, subscribe first, then Get the session.
func (m *Manager) Subscribe(name Name) (<-chan Event, func()) {
	s := &subscriber{events: make(chan Event, 1)}
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subscribers[name] == nil {
		h.subscribers[name] = make(map[*subscriber]struct{})
	}
	h.subscribers[name][s] = struct{}{}
	return s.events, func() { h.leave(name, s) }
}

func (h *hub) leave(name Name, s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscribers[name], s)
	if len(h.subscribers[name]) == 0 {
		delete(h.subscribers, name)
	}
}

// changed tells of a newer state. Two writers may come here in another order than they wrote; what is
// older than what was told already is not told.
func (h *hub) changed(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subscribers[s.Name] {
		if s.Version >= sub.version {
			sub.version = s.Version
			sub.send(Event{Kind: Changed, Session: s})
		}
	}
}

// ended tells of the end and lets go of the subscribers.
func (h *hub) ended(name Name, reason Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subscribers[name] {
		sub.send(Event{Kind: Ended, Reason: reason})
		close(sub.events)
	}
	delete(h.subscribers, name)
}

// send puts e where it is fetched from, instead of what lies there. Only the hub sends, under its lock,
// so there is room after taking.
func (s *subscriber) send(e Event) {
	select {
	case <-s.events:
	default:
	}
	s.events <- e
}
