package store

import (
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// Options say where sessions are kept.
type Options struct {
	URL secret.Value // it may hold a password
}

// Defaults returns the Options that apply unless the operator sets others.
func Defaults() Options { return Options{URL: secret.New("sqlite:cloakroom.db")} }

// Settings are the keys of the store.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "store", Value: location(&o.URL),
			Doc: "Where sessions are kept: `sqlite:PATH`, `memory:`, `redis://…`, " +
				"`rediss://…` or `postgres://…`. `sqlite:PATH` is a file that survives " +
				"restarts; it is created with mode 0600, in a folder that must exist. " +
				"`memory:` loses everything at a restart, including revocations that are " +
				"not delivered yet. `redis://…`, `rediss://…` and `postgres://…` are servers " +
				"that several replicas share; [scaling.md](scaling.md) lists their parameters",
			Default: "`sqlite:cloakroom.db`",
			Example: []string{"sqlite:/var/lib/cloakroom/cloakroom.db"},
		},
	}
}

// Check warns of settings that are seldom intended.
func (o *Options) Check(c setting.Check) {
	if !c.Valid("store") {
		return
	}
	if o.URL.Equal("memory:") {
		c.Warn("session.store is memory: every session and every revocation still to be " +
			"delivered is lost at a restart; write sqlite:PATH")
	}
	u, err := url.Parse(o.URL.Reveal())
	if err == nil && u.Scheme == "redis" && !site.IsLoopback(u.Hostname()) {
		c.Warn("session.store is reached in plain text beyond this machine: whoever is on the " +
			"way can end sessions and learn the password; write rediss:")
	}
}

// Embedded reports whether an address names a store in this process.
func Embedded(address string) bool {
	return strings.HasPrefix(address, "memory:") || strings.HasPrefix(address, "sqlite:")
}

// storeForm tells operators what session.store can be.
const storeForm = "write sqlite:PATH, memory:, redis://…, rediss://… or postgres://…, " +
	"such as sqlite:/var/lib/cloakroom/cloakroom.db " +
	"or rediss://user:password@redis.example.com:6379/0"

// location is the type of session.store. Its value is hidden unless it is the address of an
// embedded store, which can't hold a password.
func location(into *secret.Value) setting.Scalar {
	s := setting.Hidden(into, checkLocation)
	s.Secret = false
	s.Hides = func(written string) bool {
		return !Embedded(written) || strings.Contains(written, "?")
	}
	return s
}

func checkLocation(s string) *setting.Fault {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return setting.NewFault("says more than memory:",
				"write memory: alone; sessions are then forgotten at each restart")
		}
		return nil
	case "sqlite":
		return checkDatabase(rest)
	case "redis", "rediss", "postgres", "postgresql":
		return checkServer(s)
	}
	return setting.NewFault("names no store", storeForm)
}

// checkServer checks only the form: the store itself knows its parameters.
func checkServer(address string) *setting.Fault {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return setting.NewFault("is not a URL",
			"percent-encode what is special in a user's name or password "+
				"(@ is %40, / is %2F, % is %25)")
	case u.Host == "" && !strings.HasPrefix(u.Scheme, "postgres"):
		// The URL of a PostgreSQL server may name a socket in a parameter instead.
		return setting.NewFault("names no host", storeForm)
	}
	return nil
}

// checkDatabase accepts a path, not the URLs that SQLite knows as well: the names of the key file
// and the files whose modes are set derive from the path.
func checkDatabase(path string) *setting.Fault {
	switch {
	case path == "":
		return setting.NewFault("names no database file", storeForm)
	case strings.HasPrefix(path, "//"),
		strings.HasPrefix(path, "file:"),
		strings.Contains(path, "?"):
		return setting.NewFault("is a URL where a path is wanted",
			"write sqlite: and a path, such as sqlite:/var/lib/cloakroom/cloakroom.db, "+
				"without // or parameters")
	case path == ":memory:":
		return setting.NewFault("names no database file",
			"write memory: for a store that forgets everything at a restart")
	case strings.HasSuffix(path, "/"):
		return setting.NewFault("is a folder", "add the name of the file: "+storeForm)
	}
	return nil
}
