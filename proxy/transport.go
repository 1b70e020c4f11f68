package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/outbound"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// errFirstByte means that the upstream did not begin to respond within the route's timeout, or did
// not read the request body for that time.
var errFirstByte = errors.New("no response within the route's timeout")

// newTransport returns a transport for one upstream. It keeps many connections, ignores the proxies
// of the environment (upstreams are fixed), and does not decompress.
func newTransport(idle time.Duration) *http.Transport {
	t := outbound.NewTransport()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 512, 512
	if idle > 0 {
		t.IdleConnTimeout = idle
	}
	t.ExpectContinueTimeout = time.Second
	t.DisableCompression = true
	t.MaxResponseHeaderBytes = 256 << 10
	t.ResponseHeaderTimeout = 0 // apiClock limits this, and the time to read the request body, too
	t.WriteBufferSize, t.ReadBufferSize = 16<<10, 16<<10
	return t
}

// buffers are used to copy responses. All routes share them.
var buffers = &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}

type bufferPool struct{ sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte { return *p.Pool.Get().(*[]byte) }

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// retrying is the RoundTripper of a route. It limits the time to the first byte, drops interim
// responses, and sends a request again with a new access token if the API rejects the token (RN10).
type retrying struct {
	proxy *Proxy
	next  *connections
}

// RoundTrip implements http.RoundTripper.
func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("request without a call")
	}
	body := t.prepareResend(r, c.trailer)
	res, err := t.once(r, body, c.route.Timeout)
	if err != nil {
		return nil, err
	}
	if ask, wanted := wantsStepUp(res); wanted && c.session != nil {
		drain(res)
		if acr := ask.Get("acr_values"); c.tokens().In(acr) || secret.HoldsJWT(acr) {
			ask.Del("acr_values") // login_url would carry the token to the browser and the provider
		}
		return nil, stepUp(ask, c.session)
	}
	if c.accessToken.IsZero() || !rejectsToken(res) || !body.replayable() {
		return res, nil
	}
	token, err := t.replaceToken(r.Context(), c)
	if errors.Is(err, renewal.ErrNotRenewed) {
		return res, nil
	}
	drain(res)
	if err == nil && c.route.Require.Any() && token.Session != nil {
		// The renewal may have removed a scope or claim that the route requires.
		err = c.route.Require.check(token.Session, t.proxy.o.Now())
	}
	if err != nil {
		return nil, err
	}
	c.accessToken = token.AccessToken
	again := r.WithContext(r.Context())
	if err := body.attach(again); err != nil {
		return nil, err
	}
	again.Header = r.Header.Clone()
	again.Header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
	return t.once(again, body, c.route.Timeout)
}

// replaceToken returns a new token in place of the one that the API rejected.
func (t *retrying) replaceToken(ctx context.Context, c *call) (renewal.Token, error) {
	if c.clientToken {
		return t.proxy.o.ClientTokens.AfterRejection(ctx, c.route.Provider, c.route.Scopes, c.accessToken)
	}
	return t.proxy.o.Tokens.AfterRejection(ctx, c.session, c.accessToken)
}

// once sends a request. The timeout limits the API only, up to the first byte of the response. The
// transfer of both bodies may take any time.
func (t *retrying) once(r *http.Request, body *replayBody, timeout time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(untraced{r.Context()})
	clock := startAPIClock(timeout, func() { cancel(errFirstByte) })
	res, err := t.send(r.WithContext(ctx), body, clock)
	inTime := clock.stop()
	if err != nil {
		cause := context.Cause(ctx)
		cancel(nil)
		if errors.Is(cause, errFirstByte) {
			return nil, errFirstByte
		}
		return nil, err
	}
	if !inTime {
		_ = res.Body.Close() // it came too late to be read
		return nil, errFirstByte
	}
	res.Request = r
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		c.named = namedByConnection(res.Header)
	}
	return res, nil
}

// untraced hides the ReverseProxy's httptrace from the transport. That trace copies interim
// responses (such as 103) to the browser without any filter (PR8), and another trace would not
// replace it.
type untraced struct{ context.Context }

// Value implements context.Context.
func (u untraced) Value(key any) any {
	v := u.Context.Value(key)
	if _, trace := v.(*httptrace.ClientTrace); trace {
		return nil
	}
	return v
}

// rejectsToken reports whether a response rejects the access token (RFC 6750 §3.1): its challenge
// is Bearer with invalid_token or without an error. Other errors have other causes (RN11).
func rejectsToken(res *http.Response) bool {
	if res.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, c := range challenges(res.Header["Www-Authenticate"]) {
		err, given := c.params["error"]
		if c.scheme == "bearer" && (!given || err == "invalid_token") {
			return true
		}
	}
	return false
}

// drain reads at most 4 KiB of an unused body, so that its connection can be reused, and closes it.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // an error only costs the connection
	_ = res.Body.Close()
}
