// Package store opens the store that a URL names. The stores themselves are below it, one folder
// each, and all of them pass storetest.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// Open opens `memory:` or `sqlite:PATH`. An error never holds the URL, which may hold a password.
func Open(ctx context.Context, url string) (session.Store, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	switch {
	case !ok:
		return nil, errors.New("session store is no URL: use memory: or sqlite:PATH")
	case scheme == "memory" && rest == "":
		return memory.New(), nil
	case scheme == "sqlite":
		s, err := sqlite.Open(ctx, rest)
		if err != nil {
			return nil, err // not s: a nil *sqlite.Store would not be a nil session.Store
		}
		return s, nil
	}
	return nil, fmt.Errorf("no session store is built for %q: use memory:, with nothing after it, or sqlite:PATH", scheme+":")
}
