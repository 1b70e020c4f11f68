package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/fairqueue"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
)

const (
	// A client whose codes were refused refusedBurst times may have one more sent every refusedPause. A person's code is
	// hardly ever refused, so that any number of them may be behind one address.
	refusedBurst = 50
	refusedPause = time.Second
	// rememberedClients bounds the memory. A client that is forgotten has all its attempts again.
	rememberedClients = 16384
)

// strangers bound what those can cause who begin logins and bring codes that they made up: nothing but a cookie of
// ours, which anybody gets, stands between them and the provider.
type strangers struct {
	queues  map[string]*fairqueue.Queue       // by provider
	refused *lru.Cache[string, *rate.Limiter] // by client
}

func newStrangers(providers map[string]*provider.Provider) (*strangers, error) {
	refused, err := lru.New[string, *rate.Limiter](rememberedClients)
	if err != nil {
		return nil, fmt.Errorf("set up limits of logins: %w", err)
	}
	s := &strangers{queues: make(map[string]*fairqueue.Queue, len(providers)), refused: refused}
	for id := range providers {
		s.queues[id] = fairqueue.New(resilience.Codes.Places())
	}
	return s, nil
}

// enter waits until a code may be sent for a client, "" for one that can't be told from others. done must be called
// with what became of the code.
func (s *strangers) enter(
	ctx context.Context, providerID, client string,
) (done func(error), failure *Failure) {
	leave, err := s.queues[providerID].Enter(ctx, client)
	if err != nil {
		return nil, because(&provider.UnreachableError{
			Provider: providerID, Endpoint: "token", Reason: "too many logins are under way", Err: err,
		})
	}
	// Asked now, and not before the wait: those in front may have been refused meanwhile.
	if wait := s.wait(client, time.Now()); wait > 0 {
		leave()
		return nil, &Failure{Kind: problem.RateLimited, RetryAfter: wait}
	}
	slow := time.AfterFunc(resilience.Codes.Slow(), leave)
	return func(err error) {
		if isRefused(err) {
			s.count(client, time.Now())
		}
		slow.Stop()
		leave()
	}, nil
}

// wait is how long a client whose codes were refused has to wait before the next.
func (s *strangers) wait(client string, now time.Time) time.Duration {
	limit, known := s.refused.Get(client)
	if !known {
		return 0
	}
	if missing := 1 - limit.TokensAt(now); missing > 0 {
		return max(time.Duration(missing*float64(refusedPause)), time.Millisecond)
	}
	return 0
}

// count notes a refused code.
func (s *strangers) count(client string, now time.Time) {
	if client == "" {
		return
	}
	fresh := rate.NewLimiter(rate.Every(refusedPause), refusedBurst)
	if limit, known, _ := s.refused.PeekOrAdd(client, fresh); known {
		fresh = limit
	}
	fresh.AllowN(now, 1)
}

// operators are the refusals of a code that are about this service, whoever brings the code.
var operators = []string{"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}

// isRefused reports whether the provider refused the code itself, in whatever words (RFC 6749 §5.2).
func isRefused(err error) bool {
	refusal := new(provider.OAuthError)
	return errors.As(err, &refusal) && !slices.Contains(operators, refusal.Code)
}
