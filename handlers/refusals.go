package handlers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// Limits of the warnings about refused logout tokens, for each provider and rule. Anybody can send
// a token that is refused; that must neither fill the log nor hide the refusal of a provider's own
// token.
const (
	refusalsAtOnce   = 3
	refusalsInterval = 10 * time.Second
)

// refusals warns the operator of refused logout tokens: the user logged out at the provider, but is
// still logged in here. It is safe for concurrent use.
type refusals struct {
	log *slog.Logger

	mu   sync.Mutex                    // guards seen
	seen map[[2]string]*rate.Sometimes // by provider and rule; both are few, so it stays small
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, seen: make(map[[2]string]*rate.Sometimes)}
}

// noLogoutToken is the refusal of a request without a logout token (OIDC Back-Channel Logout §2.5).
// It is never modified.
var noLogoutToken = &jose.InvalidLogoutTokenError{
	Rule: "request", Detail: "the body is not a form with one logout_token",
	Remedy: "nothing, if somebody else sent it; a provider must send a form (application/x-www-form-urlencoded)",
}

// warn logs a refusal and its remedy, without any part of the token.
func (r *refusals) warn(ctx context.Context, providerID string, why *jose.InvalidLogoutTokenError) {
	r.mu.Lock()
	key := [2]string{providerID, why.Rule}
	if r.seen[key] == nil {
		r.seen[key] = &rate.Sometimes{First: refusalsAtOnce, Interval: refusalsInterval}
	}
	limit := r.seen[key]
	r.mu.Unlock()
	limit.Do(func() {
		r.log.WarnContext(ctx, "logout token refused; it ended no session",
			"provider", providerID, "rule", why.Rule, "detail", why.Detail, "remedy", why.Remedy)
	})
}
