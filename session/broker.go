package session

import (
	"maps"
	"slices"
	"sync"
)

// An Event is something that happened to a session: it changed, or it ended.
type Event struct {
	Session *Session // its present state; nil if it has ended, which is the last event
	Reason  Reason   // why it ended
}

// A broker tells subscribers in this process what happens to a session, in this process or in
// another one. It never waits for a subscriber: each has room for one event, and a newer event
// replaces one that was not received yet.
type broker struct {
	mu     sync.Mutex // guards byName, and sends to subscribers
	byName map[Name]*audience
}

// An audience is everybody who subscribed to one session.
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
	watcher    struct{ changed chan struct{} } // room for one
)

func newBroker() *broker { return &broker{byName: make(map[Name]*audience)} }

// Subscribe returns a channel of what happens to a session from now on, in any process whose
// changes the store announces. An event that is not received in time is replaced by a newer one.
// The channel is closed after the session has ended. The returned function ends the subscription
// and must be called. To miss nothing, subscribe first, then Get the session.
func (m *Manager) Subscribe(name Name) (<-chan Event, func()) {
	s := &subscriber{events: make(chan Event, 1)}
	return s.events, m.broker.join(name,
		func(a *audience) { a.subscribers[s] = struct{}{} },
		func(a *audience) { delete(a.subscribers, s) })
}

// Subscribers returns the number of subscriptions to a session in this process.
func (m *Manager) Subscribers(name Name) int { return m.broker.subscribers(name) }

// Attach calls ended once when the session ends, in any process, unless detach was called before.
// ended must be quick. To miss nothing, attach first, then Get the session.
func (m *Manager) Attach(name Name, ended func(Reason)) (detach func()) {
	x := &attachment{ended}
	return m.broker.join(name,
		func(a *audience) { a.attached[x] = struct{}{} },
		func(a *audience) { delete(a.attached, x) })
}

// Watch returns a channel that signals that something may have happened to a session: get the
// session to see. stop must be called.
func (m *Manager) Watch(name Name) (changed <-chan struct{}, stop func()) {
	w := &watcher{make(chan struct{}, 1)}
	return w.changed, m.broker.join(name,
		func(a *audience) { a.watchers[w] = struct{}{} },
		func(a *audience) { delete(a.watchers, w) })
}

// join adds somebody to a session's audience. leave removes them again.
func (b *broker) join(name Name, add, remove func(*audience)) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.byName[name]
	if a == nil {
		a = &audience{map[*subscriber]struct{}{}, map[*attachment]struct{}{}, map[*watcher]struct{}{}}
		b.byName[name] = a
	}
	add(a)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		remove(a)
		if b.byName[name] == a && a.isEmpty() {
			delete(b.byName, name)
		}
	}
}

func (a *audience) isEmpty() bool { return len(a.subscribers)+len(a.attached)+len(a.watchers) == 0 }

// changed tells subscribers of a newer state. Two writers may call it in another order than they
// wrote; a state that is older than one already sent is dropped.
func (b *broker) changed(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.byName[s.Name]
	if a == nil {
		return
	}
	for sub := range a.subscribers {
		if s.Version >= sub.version {
			sub.version = s.Version
			sub.send(Event{Session: s})
		}
	}
	a.notify()
}

// ended tells everybody of the end, and removes the audience.
func (b *broker) ended(name Name, reason Reason) {
	b.mu.Lock()
	a := b.byName[name]
	delete(b.byName, name)
	var attached []*attachment
	if a != nil {
		for sub := range a.subscribers {
			sub.send(Event{Reason: reason})
			close(sub.events)
		}
		clear(a.subscribers)
		attached = slices.Collect(maps.Keys(a.attached))
		clear(a.attached)
		a.notify()
	}
	b.mu.Unlock()
	for _, x := range attached {
		x.ended(reason)
	}
}

// notify tells the watchers of one session.
func (b *broker) notify(name Name) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.byName[name]; a != nil {
		a.notify()
	}
}

func (a *audience) notify() {
	for w := range a.watchers {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

// subscribers returns the number of subscribers of a session.
func (b *broker) subscribers(name Name) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.byName[name]; a != nil {
		return len(a.subscribers)
	}
	return 0
}

// names returns the names of all sessions that have an audience.
func (b *broker) names() []Name {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.byName))
}

// send replaces the event that waits in the channel, if any, by e. Only the broker sends, under its
// lock, so there is room afterwards.
func (s *subscriber) send(e Event) {
	select {
	case <-s.events:
	default:
	}
	s.events <- e
}
