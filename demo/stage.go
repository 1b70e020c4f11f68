package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/demo/devprovider"
	"github.com/cloakroom/cloakroom/demo/sampleapi"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/server"
)

// A part is a handler with its listener.
type part struct {
	listener net.Listener
	handler  http.Handler
}

func (p part) url() string { return "http://" + p.listener.Addr().String() }

// A stage has all parts of one demo.
type stage struct {
	options      Options
	folder       string // for the store
	app          string // origin
	clientSecret secret.Value
	provider     part
	api          part
	server       *server.Server
}

func (s *stage) build(ctx context.Context, port int) (err error) {
	if s.provider.listener, err = nextTo(ctx, port); err != nil {
		return err
	}
	var lc net.ListenConfig
	if s.api.listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listen for the sample API: %w", err)
	}
	s.clientSecret = secret.New(rand.Text())
	api := devprovider.Client{ID: "sample-api", Secret: secret.New(rand.Text()), ResourceServer: true}
	provider, err := devprovider.New(devprovider.Options{
		Issuer:              s.provider.url(),
		AccessTokenLifetime: s.options.AccessTokenLifetime,
		Clients:             []devprovider.Client{s.client(), api},
	})
	if err != nil {
		return err
	}
	s.provider.handler = provider
	s.api.handler = sampleapi.New(sampleapi.Introspection{
		Endpoint: s.provider.url() + "/oauth/introspect", ClientID: api.ID, ClientSecret: api.Secret,
	})
	s.server, err = s.newServer(ctx)
	return err
}

// nextTo listens on the port after the app's, which is easy to remember, or else on any free port.
func nextTo(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	if l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))); err == nil {
		return l, nil
	}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the development provider: %w", err)
	}
	return l, nil
}

const providerID = "demo"

// client is the server's registration at the provider.
func (s *stage) client() devprovider.Client {
	return devprovider.Client{
		ID: "cloakroom-demo", Secret: s.clientSecret,
		RedirectURIs:           []string{s.app + "/bff/callback/" + providerID},
		PostLogoutRedirectURIs: []string{s.app + "/bff/logout/callback/" + providerID},
		BackchannelLogoutURI:   s.app + "/bff/backchannel/" + providerID,
	}
}

// config parses a configuration like an operator's file.
func (s *stage) config() (*config.Config, error) {
	text := fmt.Sprintf(`
server:
  public_url: %q
  listen: %q
  admin_listen: "127.0.0.1:0"
  shutdown_timeout: 3s
  drain_delay: 0s
session:
  store: %q
  lifetime: 1h
  idle_timeout: 20m
providers:
  - id: %s
    name: Development provider
    issuer: %q
    client_id: cloakroom-demo
    client_secret: ${CLIENT_SECRET}
    scopes: [openid, profile, email, api]
routes:
  - path: /api/
    upstream: %q
    token: user
    csrf: header
`, s.app, s.listen(), "sqlite:"+filepath.Join(s.folder, "demo.db"), providerID, s.provider.url(), s.api.url())
	return config.Parse("demo.yaml", []byte(text), func(name string) (string, bool) {
		return s.clientSecret.Reveal(), name == "CLIENT_SECRET"
	})
}

// listen is the configured address, with the free port in place of port 0.
func (s *stage) listen() string {
	host, _, _ := net.SplitHostPort(s.options.Listen) // appPort has read it already
	_, port, _ := net.SplitHostPort(s.app[len("http://"):])
	return net.JoinHostPort(host, port)
}

func (s *stage) addresses() Addresses {
	admin := "http://" + s.server.AdminAddr().String()
	return Addresses{App: s.app, Provider: s.provider.url(), Admin: admin}
}

// close closes the listeners that build opened before it failed.
func (s *stage) close() error {
	var errs []error
	for _, p := range []part{s.provider, s.api} {
		if p.listener != nil {
			errs = append(errs, p.listener.Close())
		}
	}
	return errors.Join(errs...)
}
