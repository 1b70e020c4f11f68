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

// storeTimeout is for one try of one store operation.
const storeTimeout = 5 * time.Second

// A work is one flight's renewal of one session.
type work struct {
	*Renewer
	flight   *flight[*session.Session]
	rejected secret.Value // by an upstream; zero: time is the reason
	begun    time.Time

	from     *session.Session // as it was when the refresh token was sent
	provider *provider.Provider
}

// work is what a flight for s does.
func (r *Renewer) work(s *session.Session, rejected secret.Value) func(context.Context, *flight[*session.Session]) {
	return func(ctx context.Context, f *flight[*session.Session]) {
		w := &work{Renewer: r, flight: f, rejected: rejected, begun: time.Now()}
		w.renew(ctx, s.Name)
	}
}

// renew takes the lease, and trades the newest record's refresh token if that is still needed. A lease that
// ran out before the token was sent is taken anew.
func (w *work) renew(ctx context.Context, name session.Name) {
	for {
		l, newest, err := w.takeLease(ctx, name)
		if err != nil {
			w.flight.settle(nil, err)
			return
		}
		if l == nil { // someone was quicker; their tokens are as good
			w.flight.settle(newest, nil)
			return
		}
		again := w.renewAlone(ctx, l, newest)
		w.release(ctx, l)
		if !again {
			return
		}
	}
}

// renewAlone renews under a lease. It reports whether the lease ran out before anything was sent.
func (w *work) renewAlone(ctx context.Context, l *lease, newest *session.Session) (again bool) {
	if newest.Record.RefreshToken.IsZero() {
		w.flight.settle(nil, ErrNotRenewable)
		return false
	}
	w.from = newest
	w.provider = w.providers[newest.Record.Provider]
	if w.provider == nil {
		w.flight.settle(nil, fmt.Errorf("provider %q is not configured any more: %w", newest.Record.Provider, provider.ErrMisconfigured))
		return false
	}
	if err := w.takeTurn(ctx); err != nil {
		return w.notMyTurn(ctx, err)
	}
	response, err := w.refresh(ctx, l)
	if errors.Is(err, errLeaseLost) {
		return true
	}
	if err != nil {
		w.answeredWithError(ctx, err)
		return false
	}
	w.answered(ctx, response)
	return false
}

func (w *work) isDue(s *session.Session) bool {
	return w.age(s) != fresh || s.Record.AccessToken == w.rejected
}

// refresh sends the refresh token. When the answer is lost on the wire nobody knows whether the
// token was spent, and the only way to learn it is to send it again, once (FAPI 2.0 §5.3.2.1 note 1).
func (w *work) refresh(ctx context.Context, l *lease) (*provider.TokenResponse, error) {
	ready := func() error { return l.holds(w.lease) }
	response, err := w.provider.Refresh(ctx, w.from.Record.RefreshToken, ready)
	if err != nil && isAnswerLost(err) && ready() == nil {
		response, err = w.provider.Refresh(ctx, w.from.Record.RefreshToken, nil)
	}
	return response, err
}

// isAnswerLost reports whether the connection broke after something may have been sent. A time-out is
// left to the next renewal, which sends the same token.
func isAnswerLost(err error) bool {
	unreachable, ok := errors.AsType[*provider.UnreachableError](err)
	if !ok || unreachable.Err == nil || unreachable.Endpoint != "token" {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return false
	}
	timeout, ok := errors.AsType[net.Error](err)
	return !(ok && timeout.Timeout()) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// answeredWithError sorts a failed renewal into those that end the session (invalid_grant alone), those
// that only a login helps, and those that leave it as it was.
func (w *work) answeredWithError(ctx context.Context, err error) {
	invalid, isInvalid := errors.AsType[*provider.InvalidResponseError](err)
	switch {
	case errors.Is(err, provider.ErrInvalidGrant):
		w.refused(ctx, err)
	case isInvalid && invalid.Issued != nil && !invalid.Issued.RefreshToken.IsZero():
		w.broken(ctx, invalid.Issued, err)
	case isOperators(err):
		w.failed(outcomeMisconfigured, fmt.Errorf("%w: %w", provider.ErrMisconfigured, err))
	case wantsLogin(err) || w.refusals.amountToOne(w.from, err, time.Now()):
		w.needsLogin(ctx, err)
	default:
		w.failed(outcomeTransient, err)
	}
}

// failed leaves the session as it was and keeps it from trying again at once. An error that the
// provider package does not sort is the provider's to mend and says nothing of the user.
func (w *work) failed(outcome string, err error) {
	if !errors.Is(err, provider.ErrUnreachable) && !errors.Is(err, provider.ErrMisconfigured) {
		err = fmt.Errorf("%w: %w", provider.ErrUnreachable, err)
	}
	err = fmt.Errorf("renew access token at provider %q: %w", w.provider.ID(), err)
	w.pauses.failed(w.from.Name, time.Now(), err)
	attrs := []any{"session", w.from.Record.ID, "outcome", outcome, "error", err}
	if what := remedy(err); what != "" {
		attrs = append(attrs, "remedy", what)
	}
	w.log.Warn("access token not renewed; the session stays", attrs...)
	w.done(outcome)
	w.flight.settle(nil, asBefore(w.from, err))
}

// refused ends the session, unless the refresh token was refused because another process has renewed
// the session with it. That is asked with a write that changes nothing: what has been read may be stale.
func (w *work) refused(ctx context.Context, err error) {
	cause := fmt.Errorf("%w: %w", ErrRefused, err)
	_, err = retry(ctx, resilience.EndRefused, func(ctx context.Context) (struct{}, error) {
		_, err := w.sessions.Commit(ctx, w.from, func(rec *session.Record) error {
			if rec.Renewals != w.from.Record.Renewals {
				return errTheirs
			}
			return nil
		})
		if err == nil {
			err = w.sessions.End(ctx, w.from.Name, session.ReasonRefused)
		}
		return struct{}{}, err
	}, func(error, time.Duration) { w.flight.settle(nil, cause) })
	switch {
	case errors.Is(err, errTheirs):
		w.readTheirs(ctx)
	case errors.Is(err, session.ErrEnded):
		w.done(outcomeLostToLogout)
		w.lost(ctx)
	default:
		w.log.Info("provider refused the refresh token; the session ends", "session", w.from.Record.ID, "provider", w.provider.ID(), "error", cause)
		w.done(outcomeRefused)
		w.ended(err, cause)
	}
}

// lost settles the flight of a session that ended before the write that it was to get.
func (w *work) lost(ctx context.Context) {
	_, err := w.newest(ctx, w.from.Name)
	if !isOver(err) {
		err = session.ErrEnded
	}
	w.flight.settle(nil, err)
}

// superseded uses the tokens that another process brought.
func (w *work) superseded(newest *session.Session) {
	w.done(outcomeSuperseded)
	w.pauses.over(w.from.Name)
	w.flight.settle(newest, nil)
}

func (w *work) done(outcome string) {
	w.metrics.renewed(w.provider.ID(), outcome, time.Since(w.begun))
}
