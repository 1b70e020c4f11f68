package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloakroom/cloakroom/fairqueue"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	maxLogoutBody = 64 << 10
	maxSID        = 255 // bytes; an ID token with a longer sid is refused
	// clockSkew is how far a provider's clock may be behind ours.
	clockSkew = 5 * time.Second
	// replayWindow is the least time for which a jti is remembered; a later exp makes it longer.
	replayWindow = 10 * time.Minute
)

const (
	// frontchannelLookups is how many look-ups of front-channel logouts run at once. Others queue;
	// the queue serves clients in turn.
	frontchannelLookups = 8
	// frontchannelPatience is how long a request waits for its turn.
	frontchannelPatience = 5 * time.Second
	// busyRetryAfter is the Retry-After for a request that did not get its turn.
	busyRetryAfter = 2 * time.Second
)

// backchannel is the state of the endpoints that providers call. They set no limit per address:
// behind a proxy that is not trusted, the provider's requests and a stranger's come from the same
// address, and providers rarely repeat a logout that was refused. Expensive work has a concurrency
// limit instead, and clients are served in turn (see also jose.Verifier.LogoutToken).
type backchannel struct {
	lookups  *fairqueue.Queue
	total    *prometheus.CounterVec
	refusals *refusals
}

func newBackchannel(reg prometheus.Registerer, log *slog.Logger) *backchannel {
	return &backchannel{
		lookups:  fairqueue.New(frontchannelLookups),
		refusals: newRefusals(log),
		total: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_backchannel_logouts_total",
			Help: "Back-channel logout requests by outcome (ok, invalid, replayed, busy, unavailable).",
		}, []string{"provider", "outcome"}),
	}
}

// busy is the answer to a logout that did not get its turn: its sender should try again.
func busy(err error) error {
	const detail = "Too many logout requests are being checked. " +
		"Nobody was logged out by this one; send it again in a moment."
	return problem.New(problem.ProviderUnreachable).WithDetail(detail).WithRetryAfter(busyRetryAfter).CausedBy(err)
}

// backchannelLogout answers POST /bff/backchannel/{provider} (OIDC Back-Channel Logout §2.5–2.8):
// 200 if the sessions have ended or never existed, 400 if the token is invalid, 503 if the logout
// could not be carried out and the provider should try again.
func (h *Handlers) backchannelLogout(c echo.Context) error {
	p, err := h.provider(c.Param("provider"))
	if err != nil {
		return err
	}
	outcome, err := h.endByLogoutToken(c, p)
	h.backchannel.total.WithLabelValues(p.ID(), outcome).Inc()
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// endByLogoutToken verifies the logout token and ends the sessions that it names. It returns the
// outcome for the counter.
func (h *Handlers) endByLogoutToken(c echo.Context, p *provider.Provider) (string, error) {
	ctx := c.Request().Context()
	client := h.o.Client(c.Request())
	params, err := form(c, maxLogoutBody)
	if err != nil {
		h.backchannel.refusals.warn(ctx, p.ID(), noLogoutToken)
		return "invalid", problem.New(problem.InvalidLogoutToken).CausedBy(err)
	}
	if len(params["logout_token"]) != 1 {
		h.backchannel.refusals.warn(ctx, p.ID(), noLogoutToken)
		return "invalid", problem.New(problem.InvalidLogoutToken).WithDetail("the body must have one logout_token")
	}
	// Without the store's time, a valid token could be refused as expired.
	if err := h.o.Sessions.Know(ctx); err != nil {
		return "unavailable", err
	}
	token, err := p.Verifier().LogoutToken(ctx, client, params.Get("logout_token"))
	if bad := new(jose.InvalidLogoutTokenError); errors.As(err, &bad) {
		h.backchannel.refusals.warn(ctx, p.ID(), bad)
		return "invalid", problem.New(problem.InvalidLogoutToken).CausedBy(err)
	}
	if errors.Is(err, jose.ErrBusy) {
		return "busy", busy(err)
	}
	if err != nil {
		return "unavailable", err
	}
	// A jti is marked only after the sessions have ended: a provider must be able to repeat a
	// request that failed, and ending a session twice does no harm.
	replayed, err := h.o.Marks.Marked(ctx, jtiKey(p, token))
	if err != nil {
		return "unavailable", session.Unavailable(err)
	}
	if replayed {
		h.backchannel.refusals.warn(ctx, p.ID(), &jose.InvalidLogoutTokenError{
			Rule: "jti", Detail: "it was used before",
			Remedy: "nothing, if the provider repeated a request; otherwise it gives several tokens one jti",
		})
		return "replayed", problem.New(problem.InvalidLogoutToken).WithDetail("this logout token was used before")
	}
	if err := h.endNamedBy(ctx, p, token); err != nil {
		return "unavailable", err
	}
	until := h.o.Now().Add(replayWindow)
	if token.Expiry.After(until) {
		until = token.Expiry
	}
	if _, err := h.o.Marks.MarkOnce(ctx, jtiKey(p, token), until); err != nil {
		return "unavailable", session.Unavailable(err)
	}
	return "ok", nil
}

// jtiKey is the key of the mark for a used jti, which is unique for its issuer (RFC 7519 §4.1.7).
func jtiKey(p *provider.Provider, t *jose.LogoutToken) string {
	if t.Issuer == p.Issuer() {
		return storage.IndexKey("jti", p.ID(), t.JTI)
	}
	return storage.IndexKey("jti", p.ID(), t.JTI, t.Issuer)
}

// endNamedBy ends the sessions that the token names (§2.7). If it has a `sid`, these are the
// sessions that were started from that session at the provider; if it also has a `sub`, only that
// user's. If it has a `sub` alone, they are all sessions of that user. A session that started after
// the token was issued comes from a later login and is left alone (BC8).
func (h *Handlers) endNamedBy(ctx context.Context, p *provider.Provider, t *jose.LogoutToken) error {
	sessions, err := h.namedBy(ctx, p, t)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		otherUser := t.Subject != "" && s.Record.Subject != t.Subject
		if otherUser || s.Record.CreatedAt.After(t.IssuedAt.Add(clockSkew)) {
			continue
		}
		if err := h.o.Sessions.End(ctx, s.Name, session.ReasonProviderLogout); err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		h.o.Outbox.Wake()
	}
	return nil
}

func (h *Handlers) namedBy(
	ctx context.Context, p *provider.Provider, t *jose.LogoutToken,
) ([]*session.Session, error) {
	if t.SID != "" {
		return h.o.Sessions.OfSID(ctx, p.ID(), t.Issuer, t.SID)
	}
	return h.o.Sessions.OfUser(ctx, p.ID(), t.Issuer, t.Subject)
}

// frontchannelLogout answers GET /bff/frontchannel/{provider} (OIDC Front-Channel Logout §2). It
// needs no cookie, because browsers send none from a frame on the provider's page. It requires both
// `iss` and `sid`: otherwise any page could log its visitors out with a frame. The answer is the
// same whether there was a session or not.
func (h *Handlers) frontchannelLogout(c echo.Context) error {
	p, err := h.provider(c.Param("provider"))
	if err != nil {
		return err
	}
	query := c.Request().URL.Query()
	iss, sid := query["iss"], query["sid"]
	if len(iss) == 1 && len(sid) == 1 && sid[0] != "" && len(sid[0]) <= maxSID && p.IssuedBy(iss[0]) {
		if err := h.endByFrontchannel(c.Request(), p, iss[0], sid[0]); err != nil {
			return err
		}
	}
	c.Response().Header().Set("Content-Security-Policy",
		"default-src 'none'; frame-ancestors "+strings.Join(p.Origins(), " "))
	c.Response().Header().Del("X-Frame-Options")
	return c.HTML(http.StatusOK, "<!doctype html><title>cloakroom</title>")
}

// endByFrontchannel ends the sessions that were started from the provider's session sid.
func (h *Handlers) endByFrontchannel(r *http.Request, p *provider.Provider, iss, sid string) error {
	ctx, cancel := context.WithTimeout(r.Context(), frontchannelPatience)
	defer cancel()
	leave, err := h.backchannel.lookups.Enter(ctx, h.o.Client(r))
	if err != nil {
		return busy(err)
	}
	defer leave()
	sessions, err := h.o.Sessions.OfSID(r.Context(), p.ID(), iss, sid)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if err := h.o.Sessions.End(r.Context(), s.Name, session.ReasonProviderLogout); err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		h.o.Outbox.Wake()
	}
	return nil
}
