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
	// A client of which refusedBurst codes were refused may have one more sent every refusedPause.
	// Codes of real users are hardly ever refused, so any number of them may share one address.
	refusedBurst = 50
	refusedPause = time.Second
	// rememberedClients bounds memory. A client that is forgotten starts again without a limit.
	rememberedClients = 16384
)

// limits bound the load that clients can put on a provider by starting logins and sending codes
// that they made up. They need only an attempt cookie for that, which anybody gets.
type limits struct {
	queues  map[string]*fairqueue.Queue       // by provider
	refused *lru.Cache[string, *rate.Limiter] // by client
}

func newLimits(providers map[string]*provider.Provider) (*limits, error) {
	refused, err := lru.New[string, *rate.Limiter](rememberedClients)
	if err != nil {
		return nil, fmt.Errorf("set up limits of logins: %w", err)
	}
	s := &limits{queues: make(map[string]*fairqueue.Queue, len(providers)), refused: refused}
	for id := range providers {
		s.queues[id] = fairqueue.New(resilience.Codes.Places())
	}
	return s, nil
}

// enter waits until a code may be sent for a client; "" stands for one that can't be told from
// others. done must be called with the result of sending the code.
func (s *limits) enter(
	ctx context.Context, providerID, client string,
) (done func(error), failure *Failure) {
	leave, err := s.queues[providerID].Enter(ctx, client)
	if err != nil {
		return nil, failureOf(&provider.UnreachableError{
			Provider: providerID, Endpoint: "token",
			Reason: "too many logins are under way", Err: err,
		})
	}
	// This comes after the wait: codes of the same client may have been refused in the meantime.
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

// wait returns how long a client must wait before it may have the next code sent.
func (s *limits) wait(client string, now time.Time) time.Duration {
	limit, known := s.refused.Get(client)
	if !known {
		return 0
	}
	if missing := 1 - limit.TokensAt(now); missing > 0 {
		return max(time.Duration(missing*float64(refusedPause)), time.Millisecond)
	}
	return 0
}

// count counts a refused code.
func (s *limits) count(client string, now time.Time) {
	if client == "" {
		return
	}
	fresh := rate.NewLimiter(rate.Every(refusedPause), refusedBurst)
	if limit, known, _ := s.refused.PeekOrAdd(client, fresh); known {
		fresh = limit
	}
	fresh.AllowN(now, 1)
}

// misconfigured are the error codes that are about this service, not about the code that was sent.
var misconfigured = []string{
	"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

// isRefused reports whether the provider refused the code itself, with any error code of RFC 6749
// §5.2.
func isRefused(err error) bool {
	refusal := new(provider.OAuthError)
	return errors.As(err, &refusal) && !slices.Contains(misconfigured, refusal.Code)
}
