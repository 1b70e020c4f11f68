// Package session keeps what a login started: the ticket in the browser, the sealed record in the
// store, and the life of both.
//
// scs.SessionManager makes the ticket and the cookie and sets the deadline. What scs does not know
// is done beside it, over the same store: versions, so that a renewal never overwrites a newer
// record; touches, so that activity never rewrites one; and ends, which come by name from five
// places and go through one function. It does not know providers, routes or pages.
//
// Its weak point is time between replicas: a session that ended elsewhere may be served from the
// cache for MaxStaleness.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// What a Manager says of a request's session.
var (
	// ErrNoSession: there is no cookie, none that is ours, or its session is over.
	ErrNoSession = errors.New("nobody is logged in")
	// ErrSessionExpired: there was a session, and it ran out.
	ErrSessionExpired = errors.New("the session has run out")
	// ErrEnded: the session ended while something was about to be written to it.
	ErrEnded = errors.New("the session ended meanwhile")
	// ErrUnavailable: the store can't be asked, or can't be understood, just now. Never a reason to
	// treat anyone as logged out, or as logged in.
	ErrUnavailable = errors.New("session store can't be asked")
)

// Unavailable marks a failure of the store as ErrUnavailable. nil stays nil.
func Unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// touchShare is the part of the idle time-out for which activity is not written again.
const touchShare = 10

// Options are what a Manager is made of. Store, Keys, Lifetime and CookieName are required.
type Options struct {
	Store        Store
	Keys         [][]byte      // 32 bytes each; the first seals and signs, all open
	Lifetime     time.Duration // absolute
	IdleTimeout  time.Duration // 0: none
	MaxStaleness time.Duration // how long an opened record is served without asking the store; 0: always ask
	CookieName   string        // with its prefix
	SameSite     http.SameSite
	Secure       bool
	Now          func() time.Time      // nil: time.Now
	Logger       *slog.Logger          // nil: none
	Metrics      prometheus.Registerer // nil: none
}

// A Manager starts, finds, writes and ends sessions. It is safe for concurrent use.
type Manager struct {
	store   Store
	scs     *scs.SessionManager
	tickets *tickets
	sealer  *sealer
	cache   *cache
	hub     *hub
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time

	lifetime, idle time.Duration

	recent *lru.Cache[Name, Reason] // why sessions ended here lately; bounded, for better answers alone

	onEnd    []func(Name, Reason) // set before serving, never after
	touching sync.WaitGroup       // touches under way
	slots    chan struct{}        // bounds them
}

// NewManager checks the options and returns a Manager. Close it when nothing calls it any more.
func NewManager(o Options) (*Manager, error) {
	if len(o.Keys) == 0 {
		return nil, errors.New("set up sessions: no key")
	}
	for i, k := range o.Keys {
		if len(k) != keySize {
			return nil, fmt.Errorf("set up sessions: key %d has %d bytes, must have %d", i+1, len(k), keySize)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Manager{
		store: o.Store, tickets: newTickets(o.CookieName, o.Keys), sealer: newSealer(o.Keys),
		cache: newCache(o.MaxStaleness), hub: newHub(), log: o.Logger, now: o.Now,
		lifetime: o.Lifetime, idle: o.IdleTimeout,
		slots: make(chan struct{}, 64),
	}
	m.recent, _ = lru.New[Name, Reason](10_000) // errs only for sizes below 1
	m.metrics = newMetrics(o.Metrics, m.store, o.Now)
	m.scs = m.newSCS(o)
	return m, nil
}

// newSCS sets scs up over our store. Its idle time-out stays off: it would rewrite the whole record
// at every request, and put an old refresh token back over a renewed one. scs.New would start the
// clean-up of a memory store that is not used, and can't be stopped without a race.
func (m *Manager) newSCS(o Options) *scs.SessionManager {
	return &scs.SessionManager{
		Store: scsStore{m}, Codec: recordCodec{}, HashTokenInStore: true, Lifetime: o.Lifetime,
		Cookie: scs.SessionCookie{
			Name: o.CookieName, Path: "/", HttpOnly: true, Secure: o.Secure, SameSite: o.SameSite, Persist: false,
		},
	}
}

// Close waits for touches under way. It leaves the store open.
func (m *Manager) Close() { m.touching.Wait() }

// OnEnd has fn called at each end of a session that this process brings about, before End returns.
// fn must be quick. Call it before the Manager is used.
func (m *Manager) OnEnd(fn func(Name, Reason)) { m.onEnd = append(m.onEnd, fn) }

// Subscribe tells what happens to a session from now on. The channel holds the latest event only
// and is closed after Ended; call the returned function when done.
func (m *Manager) Subscribe(name Name) (<-chan Event, func()) { return m.hub.subscribe(name) }

// Ping asks the store whether it answers.
func (m *Manager) Ping(ctx context.Context) error { return Unavailable(m.store.Ping(ctx)) }

// ClearCookie takes the cookie back, with the attributes it was set with; browsers ignore a deletion
// that differs (RFC 6265bis §5.7).
func (m *Manager) ClearCookie(w http.ResponseWriter) {
	m.writeCookie(w, "", time.Time{})
}

func (m *Manager) writeCookie(w http.ResponseWriter, value string, expiry time.Time) {
	// scs looks for its "remember me" mark in the context; an empty session has none.
	ctx, err := m.scs.Load(context.Background(), "")
	if err != nil {
		panic(fmt.Sprintf("begin an empty scs session: %v", err)) // it asks no store for one
	}
	m.scs.WriteSessionCookie(ctx, w, value, expiry)
	w.Header().Set("Cache-Control", "no-store") // scs says no-cache="Set-Cookie", which is weaker
}
