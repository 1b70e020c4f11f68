package config

import (
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
)

// storeForm is what a session.store can be.
const storeForm = "write sqlite:PATH, memory:, redis://…, rediss://… or postgres://…, such as sqlite:/var/lib/cloakroom/cloakroom.db or rediss://user:password@redis.example.com:6379/0"

// storeURL takes session.store. Only the embedded stores' addresses can't hold a password.
func storeURL(into *secret.Value) setting.Scalar {
	s := setting.Hidden(into, checkStore)
	s.Secret = false
	s.Hides = func(written string) bool { return !isEmbedded(written) || strings.Contains(written, "?") }
	return s
}

func checkStore(s string) *setting.Fault {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return setting.Wrong("says more than memory:", "write memory: alone; sessions are then forgotten at each restart")
		}
		return nil
	case "sqlite":
		return checkDatabase(rest)
	case "redis", "rediss", "postgres", "postgresql":
		return checkServer(s)
	}
	return setting.Wrong("names no store", storeForm)
}

// checkServer looks no further than the form: what the parameters may be is the store's to know.
func checkServer(address string) *setting.Fault {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return setting.Wrong("is not a URL", "percent-encode what is special in a user's name or password (@ is %40, / is %2F, % is %25)")
	case u.Host == "" && !strings.HasPrefix(u.Scheme, "postgres"): // PostgreSQL's may name a socket as a parameter
		return setting.Wrong("names no host", storeForm)
	}
	return nil
}

// checkDatabase takes a path, not the URLs that SQLite knows as well: the key file and the file modes
// go by the path.
func checkDatabase(path string) *setting.Fault {
	switch {
	case path == "":
		return setting.Wrong("names no database file", storeForm)
	case strings.HasPrefix(path, "//"), strings.HasPrefix(path, "file:"), strings.Contains(path, "?"):
		return setting.Wrong("is a URL where a path is wanted", "write sqlite: and a path, such as sqlite:/var/lib/cloakroom/cloakroom.db, without // or parameters")
	case path == ":memory:":
		return setting.Wrong("names no database file", "write memory: for a store that forgets everything at a restart")
	case strings.HasSuffix(path, "/"):
		return setting.Wrong("is a folder", "add the name of the file: "+storeForm)
	}
	return nil
}

// isEmbedded reports whether a store's address is that of a store in this process.
func isEmbedded(address string) bool {
	return strings.HasPrefix(address, "memory:") || strings.HasPrefix(address, "sqlite:")
}
