package session

import (
	"maps"
	"slices"
	"sync"
)

// An Event is something that happened to a session: it changed, or it ended.
type Event struct {
	Session *Session // what it is now; nil when it has ended, and nothing comes after that
	Reason  Reason   // why it ended
}

// A hub tells those in this process who care for a session what happens to it, here or in another
// process. Telling never waits for anybody: each subscriber has room for one event, and a newer one takes
// the place of one not yet fetched.
type hub struct {
	mu     sync.Mutex // guards byName, and sending to any subscriber
	byName map[Name]*audience
}

// An audience is all who care for one session.
type audience struct {
	subscribers map[*subscriber]struct{}
	attached    map[*attachment]struct{}
	watchers    map[*watcher]struct{}
}

type (
	subscriber struct {
		events  chan Event // room for one
		version uint64     // of the last event
	}
	attachment struct{ ended func(Reason) }
	watcher    struct{ poked chan struct{} } // room for one
)

func newHub() *hub { return &hub{byName: make(map[Name]*audience)} }

// Subscribe tells of what happens to a session from now on, in any process that the store tells us of. An
// event that is not fetched in time gives way to a newer one; after its end the channel is closed. The
// function returned ends the subscription and must be called. To miss nothing, subscribe first, then Get
// the session.
func (m *Manager) Subscribe(name Name) (<-chan Event, func()) {
	s := &subscriber{events: make(chan Event, 1)}
	return s.events, m.hub.join(name, func(a *audience) { a.subscribers[s] = struct{}{} }, func(a *audience) { delete(a.subscribers, s) })
}

// Subscribers is how many subscriptions to a session there are in this process.
func (m *Manager) Subscribers(name Name) int { return m.hub.subscribers(name) }

// Attach has ended called once when the session ends, in whichever process, unless the function returned
// was called before. ended must be quick. To miss nothing, attach first, then Get the session.
func (m *Manager) Attach(name Name, ended func(Reason)) (detach func()) {
	x := &attachment{ended}
	return m.hub.join(name, func(a *audience) { a.attached[x] = struct{}{} }, func(a *audience) { delete(a.attached, x) })
}

// Watch tells that something may have happened to a session: ask for it and see. The function returned
// must be called.
func (m *Manager) Watch(name Name) (poked <-chan struct{}, stop func()) {
	w := &watcher{make(chan struct{}, 1)}
	return w.poked, m.hub.join(name, func(a *audience) { a.watchers[w] = struct{}{} }, func(a *audience) { delete(a.watchers, w) })
}

// join adds somebody to a session's audience; the function returned takes them out again.
func (h *hub) join(name Name, add, remove func(*audience)) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.byName[name]
	if a == nil {
		a = &audience{map[*subscriber]struct{}{}, map[*attachment]struct{}{}, map[*watcher]struct{}{}}
		h.byName[name] = a
	}
	add(a)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		remove(a)
		if h.byName[name] == a && a.isEmpty() {
			delete(h.byName, name)
		}
	}
}

func (a *audience) isEmpty() bool { return len(a.subscribers)+len(a.attached)+len(a.watchers) == 0 }

// changed tells of a newer state. Two writers may come here in another order than they wrote; what is
// older than what was told already is not told.
func (h *hub) changed(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.byName[s.Name]
	if a == nil {
		return
	}
	for sub := range a.subscribers {
		if s.Version >= sub.version {
			sub.version = s.Version
			sub.send(Event{Session: s})
		}
	}
	a.poke()
}

// ended tells of the end and lets go of the audience.
func (h *hub) ended(name Name, reason Reason) {
	h.mu.Lock()
	a := h.byName[name]
	delete(h.byName, name)
	var attached []*attachment
	if a != nil {
		for sub := range a.subscribers {
			sub.send(Event{Reason: reason})
			close(sub.events)
		}
		clear(a.subscribers)
		attached = slices.Collect(maps.Keys(a.attached))
		clear(a.attached)
		a.poke()
	}
	h.mu.Unlock()
	for _, x := range attached {
		x.ended(reason)
	}
}

// poke tells the watchers of one session.
func (h *hub) poke(name Name) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.byName[name]; a != nil {
		a.poke()
	}
}

func (a *audience) poke() {
	for w := range a.watchers {
		select {
		case w.poked <- struct{}{}:
		default:
		}
	}
}

// subscribers is how many want to know what a session looks like now.
func (h *hub) subscribers(name Name) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.byName[name]; a != nil {
		return len(a.subscribers)
	}
	return 0
}

// names are the sessions that anybody cares for.
func (h *hub) names() []Name {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.byName))
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
