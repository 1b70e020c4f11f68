// Package store opens the store that a URL names. The stores themselves are below it, one folder
// each, and all of them pass storetest.
package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// Open opens `memory:` or `sqlite:PATH`. An error never holds the URL, which may hold a password.
func Open(ctx context.Context, url string) (session.Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "memory":
		return memory.New(), nil
	case "sqlite":
		return sqlite.Open(ctx, rest)
	}
	return nil, fmt.Errorf("no store is built for %q: use memory: or sqlite:PATH", scheme+":")
}
