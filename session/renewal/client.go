package renewal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
)

// ClientOptions are what ClientTokens need; see Options.
type ClientOptions struct {
	Providers map[string]*provider.Provider
	Soft      float64               // 0: as Options.Soft
	Now       func() time.Time      // the clock for tokens' lifetimes; nil: time.Now
	Logger    *slog.Logger          // nil: slog.Default
	Metrics   prometheus.Registerer // nil: not registered
}

// ClientTokens hands out access tokens that act for no user (client credentials grant, RFC 6749
// §4.4). It keeps one per provider and scopes, in memory only: a restarted process gets another,
// and there is no refresh token to lose. It is safe for concurrent use.
type ClientTokens struct {
	providers map[string]*provider.Provider
	soft      float64
	now       func() time.Time
	log       *slog.Logger
	grants    *prometheus.CounterVec

	flights    *group[clientKey, clientToken]
	pauses     *pauses[clientKey]
	rejections *rejections[clientKey]

	mu     sync.Mutex // guards tokens
	tokens map[clientKey]clientToken
}

type clientKey struct{ provider, scopes string }

type clientToken struct {
	accessToken secret.Value
	tokenType   string
	life        life
}

// NewClientTokens makes a ClientTokens without any tokens.
func NewClientTokens(o ClientOptions) *ClientTokens {
	c := &ClientTokens{
		providers: o.Providers, soft: o.Soft, now: o.Now, log: o.Logger,
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_client_token_grants_total",
			Help: "Client credentials grants, by provider and outcome.",
		}, []string{"provider", "outcome"}),
		flights:    newGroup[clientKey, clientToken](),
		pauses:     newPauses[clientKey](),
		rejections: newRejections[clientKey](),
		tokens:     make(map[clientKey]clientToken),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(c.grants)
	}
	if c.soft == 0 {
		c.soft = defaultSoft
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	return c
}

// Close cancels the token requests under way and waits until they have ended; their tokens are not
// needed. After Close, tokens are handed out until they expire.
func (c *ClientTokens) Close() { c.flights.abandon() }

// AccessToken returns an access token of the service itself at the provider that is valid now. It
// returns the errors of Renewer.AccessToken that are about the provider. The order of scopes does
// not matter.
func (c *ClientTokens) AccessToken(
	ctx context.Context, providerID string, scopes []string,
) (Token, error) {
	key := newClientKey(providerID, scopes)
	t := c.token(key)
	switch c.age(key, t) {
	case fresh:
		return t.token(), nil
	case aging:
		_, _, _ = c.flights.join(key, c.permit(key, t, secret.Value{}), c.job(key))
		return t.token(), nil
	case stale:
		next, err := c.granted(ctx, key, t, secret.Value{}, t.life.expires.Sub(c.now())/2)
		if err == nil {
			return next.token(), nil
		}
		if ctx.Err() == nil {
			return t.token(), nil
		}
		return Token{}, err
	}
	next, err := c.granted(ctx, key, t, secret.Value{}, 0)
	if err != nil {
		return Token{}, err
	}
	return next.token(), nil
}

// AfterRejection is Renewer.AfterRejection for a token of the service.
func (c *ClientTokens) AfterRejection(
	ctx context.Context, providerID string, scopes []string, rejected secret.Value,
) (Token, error) {
	key := newClientKey(providerID, scopes)
	t := c.token(key)
	if t.accessToken != rejected {
		return c.AccessToken(ctx, providerID, scopes)
	}
	next, err := c.granted(ctx, key, t, rejected, 0)
	if errors.Is(err, ErrNotRenewed) { // but another caller may just have renewed it
		next, err = c.token(key), nil
	}
	if err != nil {
		return Token{}, err
	}
	if next.accessToken == rejected {
		return Token{}, ErrNotRenewed
	}
	return next.token(), nil
}

func newClientKey(providerID string, scopes []string) clientKey {
	sorted := slices.Sorted(slices.Values(scopes))
	return clientKey{providerID, strings.Join(slices.Compact(sorted), " ")}
}

func (t clientToken) token() Token {
	return Token{AccessToken: t.accessToken, TokenType: t.tokenType}
}

func (c *ClientTokens) token(key clientKey) clientToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[key]
}

func (c *ClientTokens) age(key clientKey, t clientToken) age {
	return t.life.at(c.now(), c.soft, key.provider+" "+key.scopes)
}

// permit returns the permit of a flight; see Renewer.permit.
func (c *ClientTokens) permit(key clientKey, t clientToken, rejected secret.Value) func() error {
	return func() error {
		if p := c.providers[key.provider]; p != nil {
			if err := p.ClientCredentialsBlocked(); err != nil {
				return err
			}
		}
		if err := c.pauses.err(key, key.provider, time.Now()); err != nil {
			return err
		}
		if rejected.IsZero() {
			return nil
		}
		return c.rejections.allow(key, time.Now(), t.life.rejectionSpacing())
	}
}

// granted waits for the grant that replaces t. The flight is never for an older token than t,
// because a flight's end and its token become visible together. For sessions that is different.
func (c *ClientTokens) granted(
	ctx context.Context, key clientKey, t clientToken, rejected secret.Value, patience time.Duration,
) (clientToken, error) {
	f, _, err := c.flights.join(key, c.permit(key, t, rejected), c.job(key))
	if err != nil {
		return clientToken{}, err
	}
	return f.wait(ctx, patience)
}

// job returns what a flight for key does.
func (c *ClientTokens) job(key clientKey) func(context.Context, *flight[clientToken]) {
	return func(ctx context.Context, f *flight[clientToken]) {
		t, outcome, err := c.grant(ctx, key)
		c.grants.WithLabelValues(key.provider, outcome).Inc()
		if err != nil {
			c.pauses.failed(key, time.Now(), err)
			c.log.Warn("no client access token", "provider", key.provider,
				"scopes", key.scopes, "outcome", outcome, "error", err)
			f.settle(clientToken{}, err)
			return
		}
		c.pauses.clear(key)
		c.mu.Lock()
		c.tokens[key] = t
		c.mu.Unlock()
		f.settle(t, nil)
	}
}

// grant asks the provider once. If the provider refuses the grant, it refuses this client, because
// no user is involved.
func (c *ClientTokens) grant(ctx context.Context, key clientKey) (clientToken, string, error) {
	p := c.providers[key.provider]
	if p == nil {
		return clientToken{}, outcomeMisconfigured, fmt.Errorf(
			"provider %q is not configured: %w", key.provider, provider.ErrMisconfigured)
	}
	response, err := p.ClientCredentials(ctx, strings.Fields(key.scopes))
	if err != nil {
		_, isOAuth := errors.AsType[*provider.OAuthError](err)
		refused := isOAuth && !errors.Is(err, provider.ErrUnreachable)
		outcome, kind := outcomeTransient, provider.ErrUnreachable
		if refused || errors.Is(err, provider.ErrMisconfigured) {
			outcome, kind = outcomeMisconfigured, provider.ErrMisconfigured
		}
		if !errors.Is(err, kind) {
			err = fmt.Errorf("%w: %w", kind, err)
		}
		return clientToken{}, outcome, fmt.Errorf(
			"get client access token from provider %q: %w", key.provider, err)
	}
	expires := response.Issued.Add(max(response.ExpiresIn, minLife))
	t := clientToken{response.AccessToken, response.TokenType, life{response.Issued, expires}}
	return t, outcomeOK, nil
}
