package renewal

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
)

// ClientOptions are what ClientTokens need.
type ClientOptions struct {
	Providers map[string]*provider.Provider // by configured id
	Now       func() time.Time              // nil: time.Now
	Logger    *slog.Logger
}

// ClientTokens hands out access tokens of this service's own (client-credentials grant, RFC 6749
// §4.4), one per provider and scopes, kept in memory. No refresh token is ever involved. It is safe
// for concurrent use.
type ClientTokens struct {
	ClientOptions
	group singleflight.Group // one token request at a time for each key (x/sync)

	mu     sync.Mutex // guards tokens
	tokens map[string]clientToken
}

type clientToken struct {
	value             secret.Value
	obtained, expires time.Time
}

// NewClientTokens returns ClientTokens that hold none yet.
func NewClientTokens(o ClientOptions) *ClientTokens {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &ClientTokens{ClientOptions: o, tokens: map[string]clientToken{}}
}

// AccessToken returns a token that is good for the way to the API. Errors are those of
// provider.ClientCredentials, or ctx's.
func (c *ClientTokens) AccessToken(ctx context.Context, providerID string, scopes []string) (Token, error) {
	key := providerID + " " + strings.Join(scopes, " ")
	c.mu.Lock()
	t, ok := c.tokens[key]
	c.mu.Unlock()
	if ok && c.Now().Before(t.hard()) {
		return Token{AccessToken: t.value}, nil
	}
	select {
	case r := <-c.group.DoChan(key, func() (any, error) { return c.fetch(context.WithoutCancel(ctx), key, providerID, scopes) }):
		if r.Err != nil {
			return Token{}, r.Err
		}
		return Token{AccessToken: r.Val.(clientToken).value}, nil
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

// AfterRejection drops a token that an API blamed and gets another; at most once in half a token's
// life, after which ErrNotRenewed says to pass the 401 on.
func (c *ClientTokens) AfterRejection(ctx context.Context, providerID string, scopes []string, rejected secret.Value) (Token, error) {
	key := providerID + " " + strings.Join(scopes, " ")
	c.mu.Lock()
	t, ok := c.tokens[key]
	if ok && t.value.Equal(rejected.Reveal()) {
		if c.Now().Sub(t.obtained) < min(t.expires.Sub(t.obtained)/2, 30*time.Second) {
			c.mu.Unlock()
			return Token{}, ErrNotRenewed
		}
		delete(c.tokens, key)
	}
	c.mu.Unlock()
	return c.AccessToken(ctx, providerID, scopes)
}

func (c *ClientTokens) fetch(ctx context.Context, key, providerID string, scopes []string) (clientToken, error) {
	ctx, cancel := context.WithTimeout(ctx, flightTimeout)
	defer cancel()
	p, ok := c.Providers[providerID]
	if !ok {
		return clientToken{}, fmt.Errorf("no provider %q: %w", providerID, provider.ErrMisconfigured)
	}
	r, err := p.ClientCredentials(ctx, scopes)
	if err != nil {
		return clientToken{}, err
	}
	t := clientToken{r.AccessToken, r.Received, r.Received.Add(r.ExpiresIn)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[key] = t
	return t, nil
}

// hard is when the token is too old for the way to the API.
func (t clientToken) hard() time.Time {
	return t.expires.Add(-min(maxSkew, t.expires.Sub(t.obtained)/skewShare))
}
