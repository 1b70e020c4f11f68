// Package proxy passes API calls on: it finds the route, refuses what could be forged, puts the
// access token in, and cleans what goes in and what comes back.
//
// It stands on httputil.ReverseProxy, one per route. What a caller sends is judged in the very form
// it is forwarded, and what the service asserts is removed from it first. It does not know where
// sessions are kept or how tokens are renewed. Its weak point is the upstream itself: it is handed a
// token, and what it does with that is its own affair.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/site"
)

// The kinds of token that a route's requests go out with.
const (
	TokenUser         = "user"           // the user's; nobody logged in is 401
	TokenClient       = "client"         // this service's own
	TokenUserOrClient = "user_or_client" // the user's, or this service's own for a visitor
	TokenOptional     = "optional"       // the user's, or none for a visitor
	TokenNone         = "none"
)

// The ways in which a route tells a forged request.
const (
	CSRFHeader        = "header"
	CSRFFetchMetadata = "fetch-metadata"
	CSRFNone          = "none"
)

// A Route is a path prefix and the API behind it.
type Route struct {
	Path        string // prefix, matched at segment borders
	Upstream    *url.URL
	Token       string
	CSRF        string
	Timeout     time.Duration // to the response's first byte
	Methods     []string
	SharedCache bool // whether an upstream's `public` and `s-maxage` stand
	// IdleConnectionTimeout is how long a connection to the upstream that nobody uses is kept; 0: outbound.IdleTimeout.
	// It must be shorter than the upstream's own.
	IdleConnectionTimeout time.Duration
	Scopes                []string // of this service's own token
	Provider              string   // that this service's own token is from
	// EndWithToken cuts a stream when the access token that it was opened with runs out; else it goes on for as
	// long as the session, whose token was looked at when it began.
	EndWithToken bool
	Require      Require // of the user, beyond a session
	// EncodedSlashes lets %2F through, as it came; else it is refused.
	EncodedSlashes bool
}

// Sessions finds and touches sessions; *session.Manager is one.
type Sessions interface {
	FromRequest(r *http.Request) (*session.Session, error)
	Get(ctx context.Context, name session.Name) (*session.Session, error)
	Attach(name session.Name, ended func(session.Reason)) (detach func())
	Touch(ctx context.Context, s *session.Session)
}

// Tokens gives users' access tokens; *renewal.Renewer is one.
type Tokens interface {
	AccessToken(ctx context.Context, s *session.Session) (renewal.Token, error)
	AfterRejection(ctx context.Context, s *session.Session, rejected secret.Value) (renewal.Token, error)
}

// ClientTokens gives this service's own access tokens; *renewal.ClientTokens is one.
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
	Stopping      context.Context       // ended when WebSockets and event streams should be, because the service stops; nil: never
	Now           func() time.Time      // nil: time.Now
	Logger        *slog.Logger          // nil: slog.Default
	Metrics       prometheus.Registerer // nil: not registered
}

// A Proxy passes requests on. It is safe for concurrent use.
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

// pass passes one request on by a route, or answers why not. The order matters: form, method
// and forgery are judged before any session is looked up, so that a refused request costs nothing,
// renews nothing and counts as no activity (CS11).
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, rt *route) {
	start := time.Now()
	rec := &statusRecorder{ResponseWriter: w}
	defer func() { p.metrics.done(rt.Path, rec.status, time.Since(start)) }()
	if err := p.serve(rec, r, rt); err != nil {
		p.o.Fail(rec, rec.withoutCancel(r), err)
	}
}

// serve judges the request and passes it on. When it returns an error, nothing of an answer was written yet.
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

// A call is what one request goes out with.
type call struct {
	route       *route
	session     *session.Session // nil for a visitor
	accessToken secret.Value     // zero: none
	clientToken bool
	trailer     http.Header // the caller's, whole once its body has been read
	named       []string    // fields that the API's Connection names
	failed      error       // set by the ReverseProxy's error handler
}

type callKey struct{}

// authorize finds the session and the token that the route wants.
func (p *Proxy) authorize(r *http.Request, rt *route) (*call, error) {
	c := &call{route: rt}
	if rt.Token == TokenNone {
		return c, nil
	}
	if rt.Token != TokenClient {
		s, err := p.o.Sessions.FromRequest(r)
		visitor := errors.Is(err, session.ErrNoSession) || errors.Is(err, session.ErrSessionExpired)
		switch {
		case err == nil:
			return c, p.authorizeUser(r.Context(), c, s)
		case rt.Token == TokenUser || rt.Require.Any() || !visitor: // who lacks what is required must not get it by logging out
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
	if c.route.Require.Any() && t.Session != s { // a renewal may have taken a claim or a scope away
		if err := c.route.Require.check(t.Session, p.o.Now()); err != nil {
			return err
		}
	}
	c.session, c.accessToken = t.Session, t.AccessToken
	return nil
}

// forward hands the request to the route's ReverseProxy, under a context that ends with the session.
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
		// The end may have come between the look-up and now; whoever comes later finds the stream.
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
	w.Header().Del("X-Content-Type-Options") // cleanResponse sets it, and ReverseProxy would add that to this
	rt.reverse.ServeHTTP(w, r.WithContext(ctx))
	return c.failed
}

// flushInterval is how long a part of an answer with a length may wait for more of it. A whole answer is flushed by
// its end, before that. Answers without a length and event streams are flushed at once, by the ReverseProxy itself.
const flushInterval = 20 * time.Millisecond

// newReverse makes the ReverseProxy of a route. Rewrite, not Director: hop-by-hop fields that the
// caller names in Connection go before ours are set, so they can't drop those (golang/go#50580).
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

// upstreamFailed sorts why there is no response, for serve to return.
func (p *Proxy) upstreamFailed(_ http.ResponseWriter, r *http.Request, err error) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		panic(http.ErrAbortHandler) // no request of ours is without its call
	}
	c.failed = upstreamProblem(fmt.Errorf("route %s: %w", c.route.Path, secret.Unquoted(err)), r)
}
