// Package cluster runs several replicas of the service for a demo and for the fault suite:
// processes behind nginx, with one store, simulated users who send requests all the time, and a
// provider that revokes a grant when a spent refresh token is used again. Its parts can be made to
// fail while it runs.
//
// The fault suite judges only what is visible from outside: to the users, the provider and the API.
package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/demo/devprovider"
	"github.com/cloakroom/cloakroom/demo/servers"
	"github.com/cloakroom/cloakroom/secret"
)

// Options configure a cluster.
type Options struct {
	Binary   string // path of the service's program
	Folder   string // for configuration files
	Replicas int
	Port     int // of the app; 0 means any free port
	// Store is the address of the store. Each replica reaches it through a link of its own;
	// StoreURL makes the store's URL from the address of the link.
	Store    string
	StoreURL func(address string) string

	AccessTokenLifetime time.Duration
	RenewalLease        time.Duration
	IdleTimeout         time.Duration // 0 means 20 minutes
	Pace                time.Duration // between two calls of a user, on average
	Stay                time.Duration // between a login and a logout, on average
}

// A Cluster has all parts, running.
type Cluster struct {
	App      string // origin, as browsers see it
	Replicas []*Replica
	Nginx    *servers.Process
	Crowd    *Crowd

	provider *faultyProvider
	upstream *upstream
	closers  []func()
}

const (
	secretSize  = 32
	defaultIdle = 20 * time.Minute
)

// Start starts every part except the users. The caller must call Close, even after an error.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	c = &Cluster{}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = defaultIdle
	}
	if o.Port == 0 {
		if o.Port, err = servers.FreePort(); err != nil {
			return c, err
		}
	}
	c.App = "http://localhost:" + strconv.Itoa(o.Port)
	spec := replicaSpec{
		binary: o.Binary, dir: o.Folder, publicURL: c.App, lease: o.RenewalLease, idle: o.IdleTimeout,
		key: random(), clientSecret: random(),
	}
	if err := c.startProvider(ctx, &spec, o.AccessTokenLifetime); err != nil {
		return c, err
	}
	if err := c.startReplicas(ctx, spec, o); err != nil {
		return c, err
	}
	if err := c.startNginx(o); err != nil {
		return c, err
	}
	u := devprovider.Users()[0]
	c.Crowd = newCrowd(c.App, u.Username, u.Password, o.Pace, o.Stay)
	return c, nil
}

func random() string {
	b := make([]byte, secretSize)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

// startProvider starts the provider and the API, which the replicas' configurations name.
func (c *Cluster) startProvider(ctx context.Context, spec *replicaSpec, lifetime time.Duration) error {
	var lc net.ListenConfig
	atProvider, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the provider: %w", err)
	}
	atAPI, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen for the API: %w", err), atProvider.Close())
	}
	spec.issuer, spec.upstream = "http://"+atProvider.Addr().String(), "http://"+atAPI.Addr().String()
	apiSecret := random()
	p, err := devprovider.New(devprovider.Options{
		Issuer: spec.issuer, AccessTokenLifetime: lifetime,
		Clients: []devprovider.Client{{
			ID: "cloakroom-cluster", Secret: secret.New(spec.clientSecret),
			RedirectURIs:           []string{c.App + "/bff/callback/demo"},
			PostLogoutRedirectURIs: []string{c.App + "/bff/logout/callback/demo"},
		}, {ID: "api", Secret: secret.New(apiSecret), ResourceServer: true}},
	})
	if err != nil {
		return errors.Join(err, atProvider.Close(), atAPI.Close())
	}
	c.provider = &faultyProvider{Provider: p}
	c.upstream = newUpstream(spec.issuer+"/oauth/introspect", "api", apiSecret)
	c.serve(atProvider, c.provider)
	c.serve(atAPI, c.upstream)
	return nil
}

func (c *Cluster) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }() // until Close
	c.closers = append(c.closers, func() { _ = srv.Close() })
}

func (c *Cluster) startReplicas(ctx context.Context, spec replicaSpec, o Options) error {
	for i := range o.Replicas {
		link, err := NewLink(ctx, o.Store)
		if err != nil {
			return fmt.Errorf("link a replica to its store: %w", err)
		}
		c.closers = append(c.closers, func() { _ = link.Close() })
		spec.name, spec.store = fmt.Sprintf("replica-%d", i+1), o.StoreURL(link.Addr())
		r, err := newReplica(spec, link)
		if err != nil {
			return err
		}
		c.Replicas = append(c.Replicas, r)
		c.closers = append(c.closers, r.Kill)
		if err := r.Start(); err != nil {
			return err
		}
	}
	return nil
}

// startNginx starts the load balancer. It leaves out a replica that does not answer for one second.
func (c *Cluster) startNginx(o Options) (err error) {
	var members strings.Builder
	for _, r := range c.Replicas {
		fmt.Fprintf(&members, "    server %s max_fails=1 fail_timeout=1s;\n", r.Listen)
	}
	dir := filepath.Join(o.Folder, "nginx")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	c.Nginx, err = servers.NewNginx(dir, o.Port, fmt.Sprintf(`
  upstream replicas {
%s    keepalive 64;
  }
  server {
    listen 127.0.0.1:%d;
    listen [::1]:%d;
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_connect_timeout 1s;
      proxy_read_timeout 11s; # the service always answers within 10 s
      proxy_next_upstream error timeout;
      proxy_next_upstream_tries 3;
      proxy_buffering off;
    }
  }`, members.String(), o.Port, o.Port))
	if err != nil {
		return err
	}
	c.closers = append(c.closers, c.Nginx.Kill)
	return c.Nginx.Start()
}

// SetProvider sets how the provider answers token requests.
func (c *Cluster) SetProvider(m Mode) { c.provider.mode.Store(m) }

// Provider returns the provider's counters.
func (c *Cluster) Provider() devprovider.Status { return c.provider.Status() }

// Grants returns the state of each login's grant at the provider, by sid.
func (c *Cluster) Grants() map[string]devprovider.Grant {
	all := map[string]devprovider.Grant{}
	for _, g := range c.provider.Grants() {
		all[g.SID] = g
	}
	return all
}

// Upstream returns how many calls the API received, and how many of them had an invalid token.
func (c *Cluster) Upstream() (calls, bad int) { return c.upstream.counts() }

// Close stops all parts.
func (c *Cluster) Close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		c.closers[i]()
	}
}
