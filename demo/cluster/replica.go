package cluster

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cloakroom/cloakroom/demo/servers"
)

// A Replica is one process of the service, with its own link to the store.
type Replica struct {
	*servers.Process
	Binary string // path of the program for the next start
	Link   *Link
	Listen string // host:port
	Admin  string // host:port
}

// maxStaleness is the default of session.max_staleness.
const maxStaleness = 2 * time.Second

// A replicaSpec has the values of a replica's configuration.
type replicaSpec struct {
	binary, dir, name string
	publicURL         string
	store             string // URL, through the link
	key, clientSecret string
	issuer, upstream  string
	lease, idle       time.Duration
}

func newReplica(spec replicaSpec, link *Link) (*Replica, error) {
	listen, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		Binary: spec.binary, Link: link,
		Listen: fmt.Sprintf("127.0.0.1:%d", listen), Admin: fmt.Sprintf("127.0.0.1:%d", admin),
	}
	file := filepath.Join(spec.dir, spec.name+".yaml")
	if err := os.WriteFile(file, []byte(spec.text(r)), 0o600); err != nil {
		return nil, fmt.Errorf("configure %s: %w", spec.name, err)
	}
	probe := &http.Client{Timeout: time.Second}
	r.Process = &servers.Process{
		Name: spec.name,
		Command: func() *exec.Cmd {
			c := exec.Command(r.Binary, "serve", "--config", file)
			c.Env = append(os.Environ(),
				"CLOAKROOM_KEY="+spec.key, "CLIENT_SECRET="+spec.clientSecret, "STORE_URL="+spec.store)
			return c
		},
		Ready: func() error {
			resp, err := probe.Get("http://" + r.Admin + "/readyz")
			if err != nil {
				return err
			}
			_ = resp.Body.Close() // only the status matters
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: status %d", resp.StatusCode)
			}
			return nil
		},
	}
	return r, nil
}

// text is the replica's configuration file.
func (s replicaSpec) text(r *Replica) string {
	return fmt.Sprintf(`server:
  public_url: %q
  listen: %q
  admin_listen: %q
  trusted_proxies: [127.0.0.1/32]
  shutdown_timeout: 5s
  drain_delay: 1s
log: {level: warn, format: text}
session:
  store: ${STORE_URL}
  keys: ["${CLOAKROOM_KEY}"]
  lifetime: 1h
  idle_timeout: %s
  max_staleness: %s
  renewal_lease: %s
providers:
  - id: demo
    name: Development provider
    issuer: %q
    client_id: cloakroom-cluster
    client_secret: ${CLIENT_SECRET}
    scopes: [openid, profile, api]
routes:
  - path: /api/
    upstream: %q
`, s.publicURL, r.Listen, r.Admin, s.idle, maxStaleness, s.lease, s.issuer, s.upstream)
}
