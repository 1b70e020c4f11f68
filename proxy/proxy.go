// Package proxy forwards API calls. It finds the route, refuses requests that could be forged, adds
// the access token, and filters the headers of the request and the response.
//
// Each route has its own httputil.ReverseProxy. A path is checked in exactly the form in which it
// is forwarded, and fields that this service sets are first removed from the request. The package
// does not know where sessions are stored or how tokens are renewed. Its weak point is the
// upstream, which gets an access token and may misuse it.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/site"
)

// Sessions finds and touches sessions; *session.Manager is one.
type Sessions interface {
	FromRequest(r *http.Request) (*session.Session, error)
	Get(ctx context.Context, name session.Name) (*session.Session, error)
	Attach(name session.Name, ended func(session.Reason)) (detach func())
	Touch(ctx context.Context, s *session.Session)
}

// Tokens returns the access tokens of users; *renewal.Renewer is one.
type Tokens interface {
	AccessToken(ctx context.Context, s *session.Session) (renewal.Token, error)
	AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (renewal.Token, error)
}

// ClientTokens returns this service's own access tokens; *renewal.ClientTokens is one.
type ClientTokens interface {
	AccessToken(ctx context.Context, provider string, scopes []string) (renewal.Token, error)
	AfterRejection(ctx context.Context, provider string, scopes []string, rejected secret.Value) (renewal.Token, error)
}

// Options are what a Proxy needs. What has no zero value named is required.
type Options struct {
	Site          *site.Site
	Routes        []Route
	Sessions      Sessions
	Tokens        Tokens
	ClientTokens  ClientTokens
	MaxBody       int64 // bytes; 0: unlimited
	MaxWebSockets int   // of one session, at this replica; 0: any number
	Fail          func(http.ResponseWriter, *http.Request, error)
	Stopping      context.Context       // done when the service stops, which ends streams; may be nil
	Now           func() time.Time      // nil: time.Now
	Logger        *slog.Logger          // nil: slog.Default
	Metrics       prometheus.Registerer // nil: not registered
}

// A Proxy forwards requests. It is safe for concurrent use.
type Proxy struct {
	o         Options
	sockets   openWebSockets
	routes    []*route // longest path first
	pathIndex pathIndex
	metrics   *metrics
}

// New returns a Proxy.
func New(o Options) (*Proxy, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Fail == nil || o.Sessions == nil || o.Site == nil {
		return nil, errors.New("set up proxy: Fail, Sessions and Site are required")
	}
	p := &Proxy{o: o, sockets: openWebSockets{most: o.MaxWebSockets}, metrics: newMetrics(o.Metrics)}
	p.routes = p.newRoutes()
	p.pathIndex = newPathIndex(p.routes)
	return p, nil
}

// pass forwards one request by a route, or answers it with an error. Path, method and forgery are
// checked before the session is looked up, so that a refused request is cheap, renews nothing and
// does not count as activity (CS11).
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, rt *route) {
	start := time.Now()
	rec := &statusRecorder{ResponseWriter: w}
	defer func() { p.metrics.done(rt.Path, rec.status, time.Since(start)) }()
	if err := p.serve(rec, r, rt); err != nil {
		p.o.Fail(rec, rec.withoutCancel(r), err)
	}
}

// serve checks the request and forwards it. If it returns an error, nothing was written to w.
func (p *Proxy) serve(w *statusRecorder, r *http.Request, rt *route) error {
	if answered := p.preflight(w, r); answered {
		return nil
	}
	if err := rt.allows(w, r); err != nil {
		return err
	}
	if err := p.checkUpgrade(r); err != nil {
		return err
	}
	if err := checkWorker(r); err != nil {
		return err
	}
	if err := p.checkForgery(rt, r); err != nil {
		return err
	}
	if p.o.MaxBody > 0 {
		if r.ContentLength > p.o.MaxBody {
			return tooLarge()
		}
		r.Body = http.MaxBytesReader(w, r.Body, p.o.MaxBody)
	}
	call, err := p.authorize(r, rt)
	if err != nil {
		return err
	}
	return p.forward(w, r, rt, call)
}

// A call is one forwarded request with its session and access token.
type call struct {
	route       *route
	session     *session.Session // nil for a visitor
	accessToken secret.Value     // zero: none
	clientToken bool             // whether accessToken is this service's own
	trailer     http.Header      // of the client; complete once its body has been read
	named       []string         // the fields that the response's Connection names
	failed      error            // set by the ReverseProxy's error handler
}

type callKey struct{}

// authorize finds the session and the access token that the route requires.
func (p *Proxy) authorize(r *http.Request, rt *route) (*call, error) {
	c := &call{route: rt}
	if rt.Token == TokenNone {
		return c, nil
	}
	if rt.Token != TokenClient {
		s, err := p.o.Sessions.FromRequest(r)
		visitor := errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired)
		// A route with requirements has no visitors: otherwise a user could evade them by logging
		// out.
		needsUser := rt.Token == TokenUser || rt.Require.Any()
		switch {
		case err == nil:
			return c, p.authorizeUser(r.Context(), c, s)
		case needsUser || !visitor:
			return nil, err
		case rt.Token == TokenOptional:
			return c, nil
		}
	}
	t, err := p.o.ClientTokens.AccessToken(r.Context(), rt.Provider, rt.Scopes)
	if err != nil {
		return nil, err
	}
	c.accessToken, c.clientToken = t.AccessToken, true
	return c, nil
}

func (p *Proxy) authorizeUser(ctx context.Context, c *call, s *session.Session) error {
	p.o.Sessions.Touch(ctx, s)
	if c.route.Require.Any() {
		if err := c.route.Require.check(s, p.o.Now()); err != nil {
			return err
		}
	}
	t, err := p.o.Tokens.AccessToken(ctx, s)
	if err != nil {
		return err
	}
	if c.route.Require.Any() && t.Session != s { // a renewal may have removed a claim or a scope
		if err := c.route.Require.check(t.Session, p.o.Now()); err != nil {
			return err
		}
	}
	c.session, c.accessToken = t.Session, t.AccessToken
	return nil
}

// forward passes the request to the route's ReverseProxy with a context that ends with the session.
func (p *Proxy) forward(w *statusRecorder, r *http.Request, rt *route, c *call) error {
	ctx := context.WithValue(r.Context(), callKey{}, c)
	if c.session != nil {
		streamCtx, done := p.withSession(ctx, rt, r, c.session)
		defer done()
		if isWebSocket(r) {
			closed, err := p.sockets.add(c.session.Name)
			if err != nil {
				return err
			}
			defer closed()
			defer w.cutAfter(streamCtx)()
		} else if r.Body != nil && r.Body != http.NoBody {
			defer w.stopReading(streamCtx)()
		}
		// The session may have ended between its look-up and withSession. Any later end cancels
		// streamCtx.
		if _, err := p.o.Sessions.Get(ctx, c.session.Name); errors.Is(err, session.ErrNoSession) {
			return err
		}
		ctx = streamCtx
	} else if isWebSocket(r) {
		streamCtx, done := p.withService(ctx)
		defer done()
		defer w.cutAfter(streamCtx)()
		ctx = streamCtx
	}
	w.Header().Del("X-Content-Type-Options") // cleanResponse sets it, and there must be only one
	rt.reverse.ServeHTTP(w, r.WithContext(ctx))
	return c.failed
}

// flushInterval is how long a part of a response with a length may stay in the buffer. The
// ReverseProxy itself flushes responses without a length and event streams at once.
const flushInterval = 20 * time.Millisecond

// newReverse returns the ReverseProxy of a route. It uses Rewrite, not Director: with Rewrite,
// fields that the client names in Connection are removed before ours are set, so that the client
// can't remove ours (golang/go#50580).
func (p *Proxy) newReverse(rt *route) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { p.rewrite(rt, pr) },
		ModifyResponse: p.cleanResponse,
		ErrorHandler:   p.upstreamFailed,
		Transport:      &retrying{proxy: p, next: newConnections(rt.IdleConnectionTimeout)},
		FlushInterval:  flushInterval,
		BufferPool:     buffers,
		ErrorLog:       slog.NewLogLogger(p.o.Logger.Handler(), slog.LevelDebug),
	}
}

// upstreamFailed is the ReverseProxy's ErrorHandler. It stores the error for forward to return.
func (p *Proxy) upstreamFailed(_ http.ResponseWriter, r *http.Request, err error) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		panic(http.ErrAbortHandler) // unreachable: forward sets the call
	}
	c.failed = upstreamProblem(fmt.Errorf("route %s: %w", c.route.Path, secret.Unquoted(err)), r)
}
