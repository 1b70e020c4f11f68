package renewal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// storeTimeout is the time-out of one attempt at a store operation.
const storeTimeout = 5 * time.Second

// An attempt is the renewal of one session by one flight.
type attempt struct {
	*Renewer
	flight   *flight[*session.Session]
	rejected secret.Value // by an upstream; zero: the token is renewed because of its age
	begun    time.Time

	from     *session.Session // as it was when the refresh token was sent
	provider *provider.Provider
}

// job returns what a flight for s does.
func (r *Renewer) job(
	s *session.Session, rejected secret.Value,
) func(context.Context, *flight[*session.Session]) {
	return func(ctx context.Context, f *flight[*session.Session]) {
		a := &attempt{Renewer: r, flight: f, rejected: rejected, begun: time.Now()}
		a.renew(ctx, s.Name)
	}
}

// renew takes the lease and renews the session, if that is still needed. If the lease expires
// before the token is sent, renew takes it again.
func (a *attempt) renew(ctx context.Context, name session.Name) {
	for {
		l, newest, err := a.takeLease(ctx, name)
		if err != nil {
			a.flight.settle(nil, err)
			return
		}
		if l == nil { // another replica was faster; its tokens are as good
			a.flight.settle(newest, nil)
			return
		}
		again := a.renewAlone(ctx, l, newest)
		a.release(ctx, l)
		if !again {
			return
		}
	}
}

// renewAlone renews under a lease. It reports whether the lease expired before anything was sent.
func (a *attempt) renewAlone(ctx context.Context, l *lease, newest *session.Session) (again bool) {
	if newest.Record.RefreshToken.IsZero() {
		a.flight.settle(nil, ErrNotRenewable)
		return false
	}
	a.from = newest
	a.provider = a.providers[newest.Record.Provider]
	if a.provider == nil {
		a.flight.settle(nil, fmt.Errorf("provider %q is not configured any more: %w",
			newest.Record.Provider, provider.ErrMisconfigured))
		return false
	}
	if err := a.takeTurn(ctx); err != nil {
		return a.notMyTurn(ctx, err)
	}
	response, err := a.refresh(ctx, l)
	if errors.Is(err, errLeaseLost) {
		return true
	}
	if err != nil {
		a.answeredWithError(ctx, err)
		return false
	}
	a.answered(ctx, response)
	return false
}

func (a *attempt) isDue(s *session.Session) bool {
	return a.age(s) != fresh || s.Record.AccessToken == a.rejected
}

// refresh sends the refresh token. If the answer is lost, the token may or may not be spent, and
// the only way to find out is to send it again, once (FAPI 2.0 §5.3.2.1 note 1).
func (a *attempt) refresh(ctx context.Context, l *lease) (*provider.TokenResponse, error) {
	ready := func() error { return l.holds(a.lease) }
	response, err := a.provider.Refresh(ctx, a.from.Record.RefreshToken, ready)
	if err != nil && isAnswerLost(err) && ready() == nil {
		response, err = a.provider.Refresh(ctx, a.from.Record.RefreshToken, nil)
	}
	return response, err
}

// isAnswerLost reports whether the connection broke after something may have been sent. A time-out
// does not count: the next renewal sends the same token.
func isAnswerLost(err error) bool {
	unreachable, ok := errors.AsType[*provider.UnreachableError](err)
	if !ok || unreachable.Err == nil || unreachable.Endpoint != "token" {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return false
	}
	timeout, ok := errors.AsType[net.Error](err)
	timedOut := ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
	return !timedOut && !errors.Is(err, context.Canceled)
}

// answeredWithError distinguishes errors that end the session (only invalid_grant), errors that
// only a login can resolve, and errors that leave the session as it is.
func (a *attempt) answeredWithError(ctx context.Context, err error) {
	invalid, isInvalid := errors.AsType[*provider.InvalidResponseError](err)
	switch {
	case errors.Is(err, provider.ErrInvalidGrant):
		a.refused(ctx, err)
	case isInvalid && invalid.Issued != nil && !invalid.Issued.RefreshToken.IsZero():
		a.broken(ctx, invalid.Issued, err)
	case isOperators(err):
		a.failed(outcomeMisconfigured, fmt.Errorf("%w: %w", provider.ErrMisconfigured, err))
	case wantsLogin(err) || a.refusals.needLogin(a.from, err, time.Now()):
		a.needsLogin(ctx, err)
	default:
		a.failed(outcomeTransient, err)
	}
}

// failed leaves the session as it is and starts a pause. An error that package provider does not
// classify counts as the provider's fault and says nothing about the user.
func (a *attempt) failed(outcome string, err error) {
	if !errors.Is(err, provider.ErrUnreachable) && !errors.Is(err, provider.ErrMisconfigured) {
		err = fmt.Errorf("%w: %w", provider.ErrUnreachable, err)
	}
	err = fmt.Errorf("renew access token at provider %q: %w", a.provider.ID(), err)
	a.pauses.failed(a.from.Name, time.Now(), err)
	attrs := []any{"session", a.from.Record.ID, "outcome", outcome, "error", err}
	if what := remedy(err); what != "" {
		attrs = append(attrs, "remedy", what)
	}
	a.log.Warn("access token not renewed; the session stays", attrs...)
	a.done(outcome)
	a.flight.settle(nil, asBefore(a.from, err))
}

// refused ends the session, unless another process has renewed it with the same refresh token,
// which is why it was refused. To find out it makes a write that changes nothing, because a read
// may be stale.
func (a *attempt) refused(ctx context.Context, err error) {
	cause := fmt.Errorf("%w: %w", ErrRefused, err)
	_, err = retry(ctx, resilience.EndRefused, func(ctx context.Context) (struct{}, error) {
		_, err := a.sessions.Commit(ctx, a.from, func(rec *session.Record) error {
			if rec.Renewals != a.from.Record.Renewals {
				return errSuperseded
			}
			return nil
		})
		if err == nil {
			err = a.sessions.End(ctx, a.from.Name, session.ReasonRefused)
		}
		return struct{}{}, err
	}, func(error, time.Duration) { a.flight.settle(nil, cause) })
	switch {
	case errors.Is(err, errSuperseded):
		a.useOthers(ctx)
	case errors.Is(err, session.ErrEnded):
		a.done(outcomeLostToLogout)
		a.lost(ctx)
	default:
		a.log.Info("provider refused the refresh token; the session ends",
			"session", a.from.Record.ID, "provider", a.provider.ID(), "error", cause)
		a.done(outcomeRefused)
		a.ended(err, cause)
	}
}

// lost settles the flight of a session that ended before it could be written.
func (a *attempt) lost(ctx context.Context) {
	_, err := a.newest(ctx, a.from.Name)
	if !isOver(err) {
		err = session.ErrEnded
	}
	a.flight.settle(nil, err)
}

// superseded settles the flight with the tokens that another process has saved.
func (a *attempt) superseded(newest *session.Session) {
	a.done(outcomeSuperseded)
	a.pauses.clear(a.from.Name)
	a.flight.settle(newest, nil)
}

func (a *attempt) done(outcome string) {
	a.metrics.renewed(a.provider.ID(), outcome, time.Since(a.begun))
}
