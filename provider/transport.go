package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/outbound"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/secret"
)

// maxAnswer limits every answer of a provider, in bytes (MD8).
const maxAnswer = 1 << 20

// The names of the endpoints in errors and metrics.
const (
	endpointMetadata   = "metadata"
	endpointKeys       = "keys"
	endpointToken      = "token"
	endpointUserinfo   = "userinfo"
	endpointRevocation = "revocation"
)

// newTransport makes the transport for one provider. Idle connections are closed early
// (outbound.IdleTimeout): a token request on a connection that the provider has just closed fails,
// since it must not be sent a second time.
func newTransport(c Config) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.RootCAsPEM) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(c.RootCAsPEM) {
			return nil, fmt.Errorf("provider %q: %w: no certificate in the CA file", c.ID, ErrMisconfigured)
		}
		conf.RootCAs = pool
	}
	if c.ClientAuth == authTLS {
		pair, err := tls.X509KeyPair([]byte(c.ClientCertPEM), []byte(c.ClientKeyPEM.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w: client certificate: %w", c.ID, ErrMisconfigured, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	t := outbound.NewTransport()
	t.Proxy = http.ProxyFromEnvironment
	t.TLSClientConfig = conf
	t.MaxIdleConnsPerHost = resilience.TokenRequests.Places()
	t.MaxResponseHeaderBytes = 64 << 10
	return t, nil
}

// A caller sends requests to one provider and reads its answers.
type caller struct {
	provider string
	http     *http.Client
	timeout  time.Duration
	now      func() time.Time // Options.Shared
	metrics  *metrics
	// userAgent names this product, so that operators of a provider can see which client asks (RFC
	// 9110 §10.1.5).
	userAgent string
}

func newCaller(id string, o Options) *caller {
	return &caller{
		provider: id,
		// No redirect is followed (RFC 9700 §4.12, MD3): after a 307, Go would send the body of a
		// token request to any address that the answer names.
		http: &http.Client{
			Transport:     o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: o.Timeout,
		now:     o.Shared,
		metrics: newMetrics(o.Metrics),

		userAgent: userAgent(o.Version),
	}
}

// An answer is a response with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends r exactly once and reads the answer. Every error is an *UnreachableError: the answer
// was incomplete, or was one (429, 5xx, a redirect) that says nothing about the request.
func (c *caller) send(
	ctx context.Context, endpoint string, r *http.Request, timeout time.Duration,
) (*answer, error) {
	ctx, cancel := withAwakeTimeout(ctx, timeout)
	defer cancel()
	// Without GetBody the transport can't send a body a second time. It would otherwise do so when
	// a connection turns out to be closed (CB14).
	r.GetBody = nil
	r.Header.Set("User-Agent", c.userAgent)
	began := time.Now()
	a, err := c.exchange(r.WithContext(ctx))
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, context.DeadlineExceeded) {
		err = cause // the transport may describe it in other words
	}
	c.metrics.observe(c.provider, endpoint, outcome(a, err), time.Since(began))
	if err != nil {
		return nil, c.unreachable(endpoint, "no answer", networkError(err))
	}
	switch {
	case a.status == http.StatusTooManyRequests || a.status >= 500:
		e := c.unreachable(endpoint, fmt.Sprintf("status %d", a.status), nil)
		e.RetryAfter, e.Status = retryAfter(a.header, c.now()), a.status
		return nil, e
	case a.status < 200 || a.status >= 300 && a.status < 400:
		reason := fmt.Sprintf("status %d, and redirects are not followed", a.status)
		return nil, c.unreachable(endpoint, reason, nil)
	}
	return a, nil
}

func (c *caller) exchange(r *http.Request) (*answer, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is larger than 1 MiB")
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// get fetches a public JSON document.
func (c *caller) get(ctx context.Context, endpoint, from string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("provider %q: %s: %w", c.provider, endpoint, ErrMisconfigured)
	}
	r.Header.Set("Accept", "application/json")
	a, err := c.send(ctx, endpoint, r, c.timeout)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, c.unreachable(endpoint, fmt.Sprintf("status %d", a.status), nil)
	}
	return a.body, nil
}

func (c *caller) unreachable(endpoint, reason string, err error) *UnreachableError {
	return &UnreachableError{Provider: c.provider, Endpoint: endpoint, Reason: reason, Err: err}
}

// networkError strips the URL and anything that the provider sent from err. The dial, TLS or
// context error is left.
func networkError(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return secret.Unquoted(err)
}
