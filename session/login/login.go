// Package login is one login attempt: the authorization request that a browser is sent away with,
// the encrypted cookie that it carries meanwhile, and the authorization response that it brings back.
//
// The server keeps nothing of an attempt: state, nonce, PKCE verifier, provider, return URL and time
// travel in a cookie of the attempt's own, named after its state, so several tabs can log in at once.
// That a state is used once is remembered in this process only. That is the weak point: a response
// that is delivered to two replicas at the same moment is exchanged twice, and it is the provider
// that refuses the second code.
//
// It knows nothing of pages, HTTP statuses or the configuration file: it returns an Outcome or a
// Failure, and others turn that into an answer.
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

// rememberedStates is how many spent states this process remembers. Each was opened from a cookie
// of ours, so filling the memory takes as many whole logins; what falls out of it can still be
// replayed only with its cookie, within attemptLife, and with a code that the provider has seen.
const rememberedStates = 16384

// Options are what logging in needs.
type Options struct {
	Site      *site.Site                    // the attempt cookies, where a login may return to, the browser's address
	Providers map[string]*provider.Provider // by configured id
	Sessions  *session.Manager
	Keys      *keys.Ring // what seals attempts
	// Client tells clients apart, for the limit on refused codes; "" for one that can't be told from others, which
	// has no limit. nil: nobody has one.
	Client func(*http.Request) string
	// Admit decides whether a user whose login has been verified gets a session: at each login, silent
	// ones and step-ups too. A *RefusalError refuses it; after any other error the login fails as by a
	// fault of this service. Either way the tokens are revoked. It must be quick: ten seconds are all
	// that the whole login has. nil: every user gets one.
	Admit   func(ctx context.Context, who Candidate) error
	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: not registered
}

// A Login starts and finishes attempts. It is safe for concurrent use. What refused logins leave behind is seen to
// in the background, until Close.
type Login struct {
	site      *site.Site
	providers map[string]*provider.Provider
	sessions  *session.Manager
	cookies   cookies
	client    func(*http.Request) string
	admit     func(context.Context, Candidate) error // nil: every user gets a session
	strangers *strangers
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
	strangers, err := newStrangers(o.Providers)
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
		strangers: strangers,
		now:       o.Now,
		logger:    o.Logger,
		logins:    logins,
		spent:     spent,
		orphans:   newOrphans(o.Sessions, o.Logger),
	}, nil
}

// complete fills in what was left out, and refuses what can't work.
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

// spend uses a state up and reports whether it was still unused. Of several callers at once, one
// hears true (RFC 9700 §4.2: a response is redeemed once).
func (l *Login) spend(state string) bool {
	seen, _ := l.spent.ContainsOrAdd(sha256.Sum256([]byte(state)), struct{}{})
	return !seen
}
