package cloakroom_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A closed Service leaves no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A host is a program on a loopback listener, with a provider for its services.
type host struct {
	t      *testing.T
	op     *odd.Provider
	server *httptest.Server
	origin string
}

// newHost starts to listen; serve sets the handler.
func newHost(t *testing.T, options ...odd.Option) *host {
	t.Helper()
	h := &host{t: t, op: odd.New(t, options...), server: httptest.NewUnstartedServer(nil)}
	h.origin = "http://" + h.server.Listener.Addr().String()
	t.Cleanup(h.server.Close)
	return h
}

func (h *host) serve(handler http.Handler) {
	h.server.Config.Handler = handler
	h.server.Start()
}

// config returns the configuration of a service in this host.
func (h *host) config() *config.Config {
	c := config.New()
	c.Site.PublicURL, _ = url.Parse(h.origin)
	c.Store.URL = secret.New("memory:")
	c.Keys.Keys = []keys.Key{keys.Generate()}
	c.Providers = []provider.Config{{
		ID: "main", Issuer: h.op.Issuer(), ClientID: h.op.Client.ID, ClientSecret: secret.New(h.op.Client.Secret),
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}}
	return c
}

// service makes a Service that lives as long as the test.
func (h *host) service(c *config.Config, o cloakroom.Options) *cloakroom.Service {
	h.t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := cloakroom.New(c, o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.t.Errorf("close: %v", err)
		}
	})
	return s
}

// A browser keeps cookies and follows redirects.
type browser struct {
	t      *testing.T
	origin string
	client *http.Client
}

func (h *host) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &browser{h.t, h.origin, &http.Client{Jar: jar, Timeout: time.Minute, Transport: new(http.Transport)}}
	h.t.Cleanup(b.client.CloseIdleConnections)
	return b
}

// A reply is a response that was read.
type reply struct {
	*http.Response
	text string
}

func (b *browser) get(path string, header ...string) *reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.origin+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &reply{resp, string(text)}
}

// fetch is get as a script of the app's does it.
func (b *browser) fetch(path string) *reply {
	b.t.Helper()
	return b.get(path, "X-CSRF", "1")
}

// login logs in below a base path and ends at the page that it leads back to.
func (b *browser) login(base, returnURL string) *reply {
	b.t.Helper()
	return b.get(base+"/login?returnUrl="+url.QueryEscape(returnURL), "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
}

// want fails unless the reply has that status and that text in it.
func (r *reply) want(t *testing.T, status int, text string) {
	t.Helper()
	if r.StatusCode != status || !strings.Contains(r.text, text) {
		t.Errorf("%s = %d %s, want %d with %q", r.Request.URL, r.StatusCode, r.text, status, text)
	}
}
