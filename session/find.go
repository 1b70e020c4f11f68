package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/local"
	"github.com/cloakroom/cloakroom/session/storage"
)

// FromRequest finds the session of r's cookie. It returns ErrNoSession if there is no cookie or a
// forged one, which is decided without the store, or if the session is gone; ErrRenewalRefused,
// which is an ErrNoSession, too, if it ended because the provider refused to renew it; and
// ErrSessionExpired if it has expired. Any other error means that this can't be decided at the
// moment. If there are several cookies of the name, the first one with a live session counts.
// Finding a session does not count as activity; see Touch.
func (m *Manager) FromRequest(r *http.Request) (*Session, error) {
	answer := ErrNoSession
	for _, t := range m.tickets(r) {
		s, err := m.find(r.Context(), t.name(), t.issued)
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, ErrSessionExpired), errors.Is(err, ErrRenewalRefused):
			answer = err
		case !errors.Is(err, ErrNoSession):
			return nil, err
		}
	}
	return nil, answer
}

// NameFromRequest returns the name for r's first validly signed cookie, whether or not its session
// is alive; "" if there is none.
func (m *Manager) NameFromRequest(r *http.Request) Name {
	for _, t := range m.tickets(r) {
		return t.name()
	}
	return ""
}

// Get returns a session by its name. It returns ErrNoSession if the session is gone,
// ErrSessionExpired if it has expired, and any other error if that can't be decided.
func (m *Manager) Get(ctx context.Context, name Name) (*Session, error) {
	return m.find(ctx, name, time.Time{})
}

// Newest is Get from the store, never from memory. Renewals use it, because they must not send a
// refresh token that another process has spent.
func (m *Manager) Newest(ctx context.Context, name Name) (*Session, error) {
	if err := m.Know(ctx); err != nil {
		return nil, err
	}
	return m.read(ctx, name, time.Time{}, m.now())
}

// find returns a live session, from the cache or from the store. If the record is gone, a non-zero
// issued helps to tell a session that expired from one that was ended.
func (m *Manager) find(ctx context.Context, name Name, issued time.Time) (*Session, error) {
	if err := m.Know(ctx); err != nil {
		return nil, err
	}
	now := m.now()
	if s := m.alive(m.cache.Get(name, time.Now()), now); s != nil {
		return s, nil
	}
	s, err := m.read(ctx, name, issued, now)
	if errors.Is(err, ErrUnavailable) {
		if s := m.alive(m.cache.LastResort(name, time.Now()), now); s != nil {
			return s, nil
		}
	}
	return s, err
}

// read returns a live session from the store.
func (m *Manager) read(ctx context.Context, name Name, issued, now time.Time) (*Session, error) {
	if reason, ended := m.tombstones.End(name, now); ended {
		return nil, m.gone(reason, issued, now)
	}
	s, err := m.load(ctx, name)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		reason := m.whyMissing(ctx, name, now)
		return nil, m.gone(reason, issued, now)
	case errors.Is(err, keys.ErrUnreadable):
		return nil, m.endUnreadable(ctx, name, err)
	case err != nil:
		return nil, Unavailable(err)
	}
	if alive := m.alive(s, now); alive != nil {
		return alive, nil
	}
	if s = m.aliveByTheStore(ctx, s); s == nil {
		return nil, ErrSessionExpired // the sweeper ends it
	}
	return s, nil
}

// freshTime is how old the store's time may be when somebody is told that their session has
// expired.
const freshTime = time.Second

// aliveByTheStore is alive for a session that seems to have expired, with the store's present time.
// That may have been set back, by a fail-over to a server with another clock, and another replica
// may already go by it.
func (m *Manager) aliveByTheStore(ctx context.Context, s *Session) *Session {
	if m.clock == nil || !m.clock.IsStores() || m.idle.Age() < freshTime {
		return nil
	}
	_ = m.Ping(ctx) // updates the clock; if it fails, idle time-outs stand still
	return m.alive(s, m.now())
}

// alive returns s with its idle expiry moved by outages, or nil if it has expired by now.
func (m *Manager) alive(s *Session, now time.Time) *Session {
	if s == nil {
		return nil
	}
	if s = m.withOutages(s); !now.Before(s.Expires()) {
		return nil
	}
	return s
}

// withOutages returns s with its idle expiry moved by outages.
func (m *Manager) withOutages(s *Session) *Session {
	if s.IdleExpires.IsZero() {
		return s
	}
	end := m.idle.Expiry(s.IdleExpires, s.LastActive, s.Record.ExpiresAt)
	if end.Equal(s.IdleExpires) {
		return s
	}
	moved := *s
	moved.IdleExpires = end
	return &moved
}

// remember remembers whose session s is.
func (m *Manager) remember(s *Session) {
	r := s.Record
	m.tombstones.Opened(s.Name, local.Identity{
		ID: r.ID, Provider: r.Provider, Renewable: !r.RefreshToken.IsZero(), Renewals: r.Renewals,
	})
}

// gone returns the error for a session whose record is gone. If the reason is unknown, a session
// that was old enough to have expired counts as expired.
func (m *Manager) gone(reason Reason, issued, now time.Time) error {
	switch reason {
	case ReasonExpired:
		return ErrSessionExpired
	case ReasonRefused:
		return ErrRenewalRefused
	}
	if reason != "" || issued.IsZero() {
		return ErrNoSession
	}
	if age := now.Sub(issued); age >= m.scs.Lifetime || m.idleTimeout > 0 && age >= m.idleTimeout {
		return ErrSessionExpired
	}
	return ErrNoSession
}

// endUnreadable ends a session whose record is corrupt: it will never open, and an error at each
// request would lock its user out.
func (m *Manager) endUnreadable(ctx context.Context, name Name, cause error) error {
	m.log.ErrorContext(ctx, "stored session does not open and is ended", "error", cause)
	if err := m.End(ctx, name, reasonUnreadable); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoSession, cause)
}

// load reads a session from the store, expired or not, and puts it into the cache unless it changed
// in the meantime. Errors are the store's, keys.ErrUnreadable or keys.ErrUnknownKey.
func (m *Manager) load(ctx context.Context, name Name) (*Session, error) {
	reading := m.cache.Expect(name, time.Now())
	defer reading.Forget()
	e, err := m.records.Load(ctx, string(name))
	if err != nil {
		return nil, err
	}
	s, err := m.open(e)
	if err != nil {
		return nil, err
	}
	m.remember(s)
	reading.Put(s, s.Version, len(e.Sealed))
	return s, nil
}

// open opens a stored entry.
func (m *Manager) open(e storage.Entry) (*Session, error) {
	plain, err := m.keys.Open(e.Name, e.Sealed)
	if err != nil {
		return nil, err
	}
	rec, err := m.decode(plain)
	if err != nil {
		return nil, err
	}
	return &Session{
		Name: Name(e.Name), Version: e.Version, Record: rec,
		IdleExpires: e.IdleExpires, LastActive: e.LastActive,
	}, nil
}

// findBy returns the live sessions with an index key.
func (m *Manager) findBy(ctx context.Context, key string) ([]*Session, error) {
	names, err := m.finder.Find(ctx, key)
	if err != nil {
		return nil, Unavailable(err)
	}
	return m.living(ctx, names)
}

// List returns live sessions whose names follow after, ordered by name, and the name to continue
// after; "" if there are no more. It reads limit records, so a page may have fewer sessions.
func (m *Manager) List(ctx context.Context, after Name, limit int) (found []*Session, next Name, err error) {
	page, err := m.finder.List(ctx, string(after), limit)
	if err != nil {
		return nil, "", Unavailable(err)
	}
	names := make([]string, len(page))
	for i, e := range page {
		names[i] = e.Name
	}
	if found, err = m.living(ctx, names); err != nil || len(page) < limit {
		return found, "", err
	}
	return found, Name(names[len(names)-1]), nil
}

// living returns those of the named sessions that are alive.
func (m *Manager) living(ctx context.Context, names []string) ([]*Session, error) {
	var found []*Session
	for _, name := range names {
		s, err := m.Get(ctx, Name(name))
		switch {
		case err == nil:
			found = append(found, s)
		case !errors.Is(err, ErrNoSession) && !errors.Is(err, ErrSessionExpired):
			return nil, err
		}
	}
	return found, nil
}
