// Package store opens the store that a URL names. Each store has a package of its own below this
// one, and all of them pass storetest. Guard puts a time-out and a circuit breaker in front of one.
//
// It knows nothing of sessions: what a store keeps is sealed. Only this package knows which kinds
// of stores there are.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// form tells operators what a URL can be.
const form = "use memory:, with nothing after it, sqlite:PATH, " +
	"redis://…, rediss://… or postgres://…"

// Open opens the store that a URL names. It succeeds even if the server is down: the store works
// once the server answers. An error never contains the URL, which may hold a password.
func Open(ctx context.Context, url string) (storage.Store, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	switch {
	case !ok:
		return storage.Store{}, errors.New("session store is no URL: " + form)
	case scheme == "memory" && rest == "":
		return memory.New().Parts(), nil
	case scheme == "sqlite":
		return parts(sqlite.Open(ctx, rest))
	case scheme == "redis", scheme == "rediss":
		return parts(redis.Open(ctx, url))
	case scheme == "postgres", scheme == "postgresql":
		return parts(postgres.Open(ctx, url))

	}
	return storage.Store{}, fmt.Errorf("no session store is called %q: %s", scheme+":", form)
}

// parts returns a store that was just opened as a storage.Store.
func parts[T interface{ Parts() storage.Store }](s T, err error) (storage.Store, error) {
	if err != nil {
		return storage.Store{}, err
	}
	return s.Parts(), nil
}

// Shared reports whether processes on several machines can use the store that a URL names.
func Shared(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return scheme != "memory" && scheme != "sqlite"
}
