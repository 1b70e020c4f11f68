package store

import (
	"context"
	"errors"
	"strings"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// Inspect connects to the store that a URL names and reports on it. It makes no lasting change: it
// neither creates nor migrates a schema.
func Inspect(ctx context.Context, url string) (storage.Inspection, error) {
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "redis", "rediss":
		return redis.Inspect(ctx, url)
	case "postgres", "postgresql":
		return postgres.Inspect(ctx, url)
	case "sqlite":
		return sqlite.Inspect(ctx, rest)
	}
	s, err := Open(ctx, url)
	if err != nil {
		return storage.Inspection{}, err
	}
	_, err = s.Connection.Ping(ctx)
	return storage.Inspection{}, errors.Join(err, s.Connection.Close())
}
