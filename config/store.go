package config

import (
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

// The stores that the contract names, and those of them that this build has: what is added to
// storesBuilt is taken from then on.
var (
	storesNamed = []string{"memory", "sqlite", "redis", "rediss", "postgres", "postgresql"}
	storesBuilt = []string{"memory", "sqlite"}
)

const storeForm = "write memory: or sqlite:PATH, such as sqlite:/var/lib/cloakroom/cloakroom.db"

// storeURL takes session.store. Only the embedded stores' addresses can't hold a password.
func storeURL(into *secret.Value) scalar {
	return scalar{
		hides: func(written string) bool { return !isEmbedded(written) || strings.Contains(written, "?") },
		parse: func(s string) *wrong {
			*into = secret.New(s)
			return checkStore(s)
		},
	}
}

func checkStore(s string) *wrong {
	scheme, rest, found := strings.Cut(s, ":")
	switch {
	case !found || !slices.Contains(storesNamed, scheme):
		return &wrong{"names no store", storeForm}
	case !slices.Contains(storesBuilt, scheme):
		return &wrong{"names a store (" + scheme + ":) that is not available in this build yet", storeForm}
	case scheme == "memory" && rest != "":
		return &wrong{"says more than memory:", "write memory: alone; sessions are then forgotten at each restart"}
	case scheme == "sqlite":
		return checkDatabase(rest)
	}
	return nil
}

// checkDatabase takes a path, not the URLs that SQLite knows as well: the key file and the file modes
// go by the path.
func checkDatabase(path string) *wrong {
	switch {
	case path == "":
		return &wrong{"names no database file", storeForm}
	case strings.HasPrefix(path, "//"), strings.HasPrefix(path, "file:"), strings.Contains(path, "?"):
		return &wrong{"is a URL where a path is wanted", "write sqlite: and a path, such as sqlite:/var/lib/cloakroom/cloakroom.db, without // or parameters"}
	case path == ":memory:":
		return &wrong{"names no database file", "write memory: for a store that forgets everything at a restart"}
	case strings.HasSuffix(path, "/"):
		return &wrong{"is a folder", "add the name of the file: " + storeForm}
	}
	return nil
}

// isEmbedded reports whether a store's address is that of a store in this process.
func isEmbedded(address string) bool {
	return strings.HasPrefix(address, "memory:") || strings.HasPrefix(address, "sqlite:")
}
