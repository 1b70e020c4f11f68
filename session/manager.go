// Package session owns what a login started: the ticket in the browser's cookie, the sealed record
// in the store, and the rules by which the record is read, written, and ended.
//
// Three things keep it correct. A ticket is signed, so a forged one is refused without asking the
// store, and the store knows only its hash. A record is written by compare-and-set on its version
// and removed for good, so a session that ended never comes back, whatever the order of events.
// Every end goes through one function, so streams, listeners, the log and the revocation outbox
// learn of each.
//
// Its weak point: opened records are kept in memory. If the store announces changes, an end in
// another process is noticed at once. If that feed breaks, or there is none, it may go unnoticed
// for MaxStaleness.
//
// Package scs manages what a browser has of a session. RenewToken makes the ticket of each login
// and step-up, in place of the one before; the deadline is the record's absolute end; the codec
// writes the record; Destroy ends a session that its user ends; and scs writes the cookie, with the
// attributes that site gives it. The rest it must not touch:
//
//   - Cookies that come in. scs takes the first of the name and trusts it unsigned, so that a
//     made-up one would cost a look into the store.
//   - Reading a record. Load decodes it at each request, and knows no cache, no versions, and not
//     why a session is gone. LoadAndSave therefore stands before no endpoint and no route.
//   - Writing one again. Commit overwrites what it finds; a renewal compares versions.
//   - Idle time. IdleTimeout writes the whole record at each load, and would put an old refresh
//     token back over a renewed one.
//   - Time. Its deadlines go by this machine's clock, so they are set anew by the clock that
//     replicas share.
//   - Hashing and sealing. HashTokenInStore can't work with a session of which only the name is
//     known, and a codec is not told the name that a record is sealed for.
//   - Ends without the user: by an administrator, a provider, or time. They come to End directly,
//     which Destroy comes to as well.
//
// Package session knows no store by name, nothing of providers and of HTTP beyond cookies.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/clock"
	"github.com/cloakroom/cloakroom/session/local"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/site"
)

// Options are what a Manager needs.
type Options struct {
	Store    storage.Store
	Keys     *keys.Ring    // seals and signs; its keys may be replaced while the Manager is in use
	Lifetime time.Duration // absolute
	// IdleTimeout is 0 for none. Activity is recorded at most ten times in it, so a session may end
	// up to a tenth early.
	IdleTimeout  time.Duration
	MaxStaleness time.Duration     // how long an opened session is served without news from the store; 0: never
	Issuers      map[string]string // by provider: the issuer of stored records that name none
	MaxPerUser   int               // how many sessions one user of one provider can have; 0: any number
	CacheMemory  int64             // bytes that opened sessions may take; 0: 64 MiB
	OnOutage     string            // what happens during an outage: "fail" (also "") or "serve_cached"
	OutageLimit  time.Duration     // how long after it was read a session is served during an outage

	Site *site.Site // the session cookie's name and attributes

	Clock   *clock.Clock          // the time that replicas share, updated by each Ping; nil: use Now
	Now     func() time.Time      // without a Clock; nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// A writer is the part of storage.Records that can't end sessions; see ender.
type writer interface {
	Create(ctx context.Context, e storage.Entry) error
	Load(ctx context.Context, name string) (storage.Entry, error)
	Update(ctx context.Context, e storage.Entry) error
	Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error
}

// A Manager starts, finds, writes and ends sessions. It is safe for concurrent use.
type Manager struct {
	records      writer
	ends         ender
	finder       storage.Finder
	outbox       storage.Outbox
	marks        storage.Marks
	connection   clock.Pinger
	feed         storage.ChangeFeed // nil: none
	scs          *scs.SessionManager
	keys         *keys.Ring
	signer       *signer
	cookie       string
	idleTimeout  time.Duration
	maxStaleness time.Duration
	maxPerUser   int
	clock        *clock.Clock      // nil: only now
	issuers      map[string]string // by provider; not changed
	now          func() time.Time
	log          *slog.Logger

	cache      *local.Cache[Name, *Session]
	idle       *local.IdleClock
	tombstones *local.Tombstones[Name, Reason]
	broker     *broker
	touches    *toucher
	metrics    *metrics
}

// NewManager makes a Manager over a store. The caller owns the store and closes it after the
// Manager.
func NewManager(o Options) (*Manager, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("set up sessions: %w", err)
	}
	m := &Manager{
		records: o.Store.Records, finder: o.Store.Finder, outbox: o.Store.Outbox, marks: o.Store.Marks,
		connection: o.Store.Connection, feed: o.Store.Feed,
		keys: o.Keys, cookie: o.Site.SessionCookie(),
		idleTimeout: o.IdleTimeout, maxPerUser: o.MaxPerUser, clock: o.Clock, now: o.Now, log: o.Logger,
		issuers:      o.Issuers,
		maxStaleness: o.MaxStaleness,
		cache: local.NewCache[Name, *Session](local.CacheOptions{
			MaxAge: o.MaxStaleness, Memory: int(o.CacheMemory), Grace: o.servedCached(),
			Feed: o.Store.Feed != nil, Metrics: o.Metrics,
		}),
		idle:       local.NewIdleClock(o.IdleTimeout, o.Now, o.Clock),
		tombstones: local.NewTombstones[Name, Reason](), broker: newBroker(),
	}
	m.ends = ender{o.Store.Records, m.announce}
	m.signer = newSigner(o.Site.SessionCookie(), o.Keys)
	m.scs = newSCS(m, o)
	m.touches = newToucher(m)
	m.metrics = newMetrics(m, o.Metrics)
	return m, nil
}

// complete fills in defaults, and refuses options that can't work.
func (o *Options) complete() error {
	if o.Clock != nil {
		o.Now = o.Clock.Now
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.CacheMemory == 0 {
		o.CacheMemory = defaultCacheMemory
	}
	switch {
	case !o.Store.IsComplete():
		return errors.New("there is no store, or a part of it is missing")
	case o.Site == nil:
		return errors.New("there is no public address")
	case o.Keys == nil:
		return errors.New("there is no key")
	case o.Lifetime <= 0:
		return errors.New("the lifetime is not positive")
	case o.MaxPerUser < 0:
		return errors.New("the number of sessions that a user can have is negative")
	case o.IdleTimeout < 0 || o.MaxStaleness < 0 || o.OutageLimit < 0:
		return errors.New("a time is negative")
	}
	return nil
}

// Close writes activity that is still to be recorded, and returns when all goroutines of the
// Manager have ended. No method may be called after it.
func (m *Manager) Close() { m.touches.close() }

// Ping returns nil if the store answers, otherwise an error that is ErrUnavailable. It also records
// the result, because no session expires from being idle during an outage.
func (m *Manager) Ping(ctx context.Context) error {
	err := m.ask(ctx)
	switch {
	case err == nil:
		m.idle.Up()
	case !errors.Is(ctx.Err(), context.Canceled): // a canceled call says nothing of the store
		m.idle.Fails()
	}
	return Unavailable(err)
}

func (m *Manager) ask(ctx context.Context) error {
	if m.clock != nil {
		return m.clock.Ask(ctx, m.connection)
	}
	_, err := m.connection.Ping(ctx)
	return err
}

// Know asks the store for its time if that is not known yet: no session, token or revocation may be
// judged, or begin, by a clock that may be wrong. Its error is Ping's.
func (m *Manager) Know(ctx context.Context) error {
	if m.clock == nil || m.clock.Known() {
		return nil
	}
	err := m.Ping(ctx)
	if m.clock.Known() { // even if the store has another problem
		return nil
	}
	return err
}

// ClockAhead returns how far this machine's clock is ahead of the time that replicas share; see
// clock.Clock.Ahead.
func (m *Manager) ClockAhead() (ahead time.Duration, known bool) {
	if m.clock == nil {
		return 0, true
	}
	return m.clock.Ahead()
}
