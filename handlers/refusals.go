package handlers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// The bounds on warnings about refused logout tokens, for each provider and each rule: anybody can
// send a token that is refused, and must not fill the log or hide a token of the provider's own.
const (
	refusalsAtOnce   = 3
	refusalsInterval = 10 * time.Second
)

// refusals warns the operator of logout tokens that were refused: the user logged out at the provider
// and is still logged in here. It is safe for concurrent use.
type refusals struct {
	log *slog.Logger

	mu   sync.Mutex                    // guards seen
	seen map[[2]string]*rate.Sometimes // by provider and rule, of which there are few
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, seen: make(map[[2]string]*rate.Sometimes)}
}

// noLogoutToken is the refusal of a request that brings none (OIDC Back-Channel Logout §2.5). It is never
// written to.
var noLogoutToken = &jose.InvalidLogoutTokenError{
	Rule: "request", Detail: "the body is no form with one logout_token",
	Remedy: "nothing, if somebody else sent it; a provider must send a form (application/x-www-form-urlencoded)",
}

// warn logs a refusal with its remedy, and nothing of the token.
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
