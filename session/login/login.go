// Package login handles login attempts: the authorization request that a browser is redirected
// with, the encrypted cookie that it carries meanwhile, and the authorization response that it
// brings back.
//
// The server stores nothing about an attempt. State, nonce, PKCE verifier, provider, return URL and
// time travel in a cookie of the attempt's own, named after its state, so several tabs can log in
// at once. Each process remembers for itself which states were used. That is the weak point: if a
// response is delivered to two replicas at the same moment, both exchange the code, and only the
// provider refuses the second exchange.
//
// The package knows nothing of pages, HTTP statuses or the configuration file. It returns an
// Outcome or a Failure, and its callers turn that into an answer.
package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
)

// rememberedStates is how many spent states this process remembers. A state counts only if a cookie
// of ours holds it, so filling the memory takes as many complete logins. A forgotten state can be
// replayed only with its cookie, within attemptLife, and with a code that the provider has already
// seen.
const rememberedStates = 16384

// Options are what a Login needs.
type Options struct {
	Site      *site.Site                    // for attempt cookies, return URLs and client addresses
	Providers map[string]*provider.Provider // by configured id
	Sessions  *session.Manager
	Keys      *keys.Ring // seals attempts
	// Client identifies the client of a request, for the limit on refused codes. It returns "" for
	// a client that can't be told from others; such a client has no limit. nil: no client has one.
	Client func(*http.Request) string
	// Admit decides whether a user whose login has been verified gets a session. It is called at
	// each login, including silent ones and step-ups. A *RefusalError refuses the login; after any
	// other error the login fails with an internal error. In both cases the tokens are revoked.
	// Admit must be quick, because the whole login has only ten seconds. nil: every user gets a
	// session.
	Admit   func(ctx context.Context, who Candidate) error
	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// A Login starts and finishes attempts. It is safe for concurrent use. It revokes the tokens of
// refused logins in the background, until Close.
type Login struct {
	site      *site.Site
	providers map[string]*provider.Provider
	sessions  *session.Manager
	cookies   cookies
	client    func(*http.Request) string
	admit     func(context.Context, Candidate) error // nil: every user gets a session
	limits    *limits
	now       func() time.Time
	logger    *slog.Logger
	logins    *prometheus.CounterVec
	spent     *lru.Cache[[sha256.Size]byte, struct{}] // hashes of states that were used
	orphans   *orphans
}

// New checks o and registers the metrics.
func New(o Options) (*Login, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("set up logins: %w", err)
	}
	spent, err := lru.New[[sha256.Size]byte, struct{}](rememberedStates)
	if err != nil {
		return nil, fmt.Errorf("set up logins: %w", err)
	}
	logins := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloakroom_logins_total",
		Help: "Login attempts that ended, by provider and outcome (success, or why not).",
	}, []string{"provider", "outcome"})
	if o.Metrics != nil {
		if err := o.Metrics.Register(logins); err != nil {
			return nil, fmt.Errorf("register metrics of logins: %w", err)
		}
	}
	limits, err := newLimits(o.Providers)
	if err != nil {
		return nil, err
	}
	return &Login{
		providers: o.Providers,
		sessions:  o.Sessions,
		site:      o.Site,
		cookies:   cookies{site: o.Site, codec: newCodec(o.Keys), now: o.Now},
		client:    o.Client,
		admit:     o.Admit,
		limits:    limits,
		now:       o.Now,
		logger:    o.Logger,
		logins:    logins,
		spent:     spent,
		orphans:   newOrphans(o.Sessions, o.Logger),
	}, nil
}

// complete fills in defaults, and refuses options that can't work.
func (o *Options) complete() error {
	switch {
	case o.Site == nil:
		return errors.New("there is no public address")
	case o.Sessions == nil:
		return errors.New("there are no sessions")
	case o.Keys == nil:
		return errors.New("there is no key")
	}
	if o.Client == nil {
		o.Client = func(*http.Request) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// spend marks a state as used and reports whether it was unused. Exactly one of several concurrent
// callers gets true (RFC 9700 §4.2: a response is redeemed once).
func (l *Login) spend(state string) bool {
	seen, _ := l.spent.ContainsOrAdd(sha256.Sum256([]byte(state)), struct{}{})
	return !seen
}
