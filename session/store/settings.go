package store

import (
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// Options are where sessions are kept.
type Options struct {
	URL secret.Value // it may hold a password
}

// Defaults are Options of which the operator has said nothing.
func Defaults() Options { return Options{URL: secret.New("sqlite:cloakroom.db")} }

// Settings are the keys of the store.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "store", Value: location(&o.URL),
			Doc: "Where sessions are kept: `sqlite:PATH`, `memory:`, `redis://…`, `rediss://…` or " +
				"`postgres://…`. `sqlite:PATH` is a file, made with mode 0600, that survives restarts; " +
				"the folder must exist. `memory:`: lost at a restart, revocations not yet delivered with " +
				"it. `redis://…`, `rediss://…`, `postgres://…`: a server that several replicas share; " +
				"their parameters are in [scaling.md](scaling.md)",
			Default: "`sqlite:cloakroom.db`",
			Example: []string{"sqlite:/var/lib/cloakroom/cloakroom.db"},
		},
	}
}

// Check warns of what is seldom meant.
func (o *Options) Check(c setting.Check) {
	if !c.Valid("store") {
		return
	}
	if o.URL.Equal("memory:") {
		c.Warn("session.store is memory: every session and every revocation still to be delivered is lost at a restart; write sqlite:PATH")
	}
	if u, err := url.Parse(o.URL.Reveal()); err == nil && u.Scheme == "redis" && !site.IsLoopback(u.Hostname()) {
		c.Warn("session.store is reached in plain text beyond this machine: whoever is on the way can end sessions and learn the password; write rediss:")
	}
}

// Embedded reports whether a store's address is that of a store in this process.
func Embedded(address string) bool {
	return strings.HasPrefix(address, "memory:") || strings.HasPrefix(address, "sqlite:")
}

// storeForm is what a session.store can be.
const storeForm = "write sqlite:PATH, memory:, redis://…, rediss://… or postgres://…, such as sqlite:/var/lib/cloakroom/cloakroom.db or rediss://user:password@redis.example.com:6379/0"

// location takes session.store. Only the embedded stores' addresses can't hold a password.
func location(into *secret.Value) setting.Scalar {
	s := setting.Hidden(into, checkLocation)
	s.Secret = false
	s.Hides = func(written string) bool { return !Embedded(written) || strings.Contains(written, "?") }
	return s
}

func checkLocation(s string) *setting.Fault {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return setting.NewFault("says more than memory:", "write memory: alone; sessions are then forgotten at each restart")
		}
		return nil
	case "sqlite":
		return checkDatabase(rest)
	case "redis", "rediss", "postgres", "postgresql":
		return checkServer(s)
	}
	return setting.NewFault("names no store", storeForm)
}

// checkServer looks no further than the form: what the parameters may be is the store's to know.
func checkServer(address string) *setting.Fault {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return setting.NewFault("is not a URL", "percent-encode what is special in a user's name or password (@ is %40, / is %2F, % is %25)")
	case u.Host == "" && !strings.HasPrefix(u.Scheme, "postgres"): // PostgreSQL's may name a socket as a parameter
		return setting.NewFault("names no host", storeForm)
	}
	return nil
}

// checkDatabase takes a path, not the URLs that SQLite knows as well: the key file and the file modes
// go by the path.
func checkDatabase(path string) *setting.Fault {
	switch {
	case path == "":
		return setting.NewFault("names no database file", storeForm)
	case strings.HasPrefix(path, "//"), strings.HasPrefix(path, "file:"), strings.Contains(path, "?"):
		return setting.NewFault("is a URL where a path is wanted", "write sqlite: and a path, such as sqlite:/var/lib/cloakroom/cloakroom.db, without // or parameters")
	case path == ":memory:":
		return setting.NewFault("names no database file", "write memory: for a store that forgets everything at a restart")
	case strings.HasSuffix(path, "/"):
		return setting.NewFault("is a folder", "add the name of the file: "+storeForm)
	}
	return nil
}
