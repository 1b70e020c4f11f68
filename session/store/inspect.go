package store

import (
	"context"
	"errors"
	"strings"

	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// Inspect tries the store that a URL names, and returns how its layout stands to this build and what an operator should
// know of how it is set up. It changes nothing that lasts: no schema is made or brought up to date.
func Inspect(ctx context.Context, url string) (state string, warnings []string, err error) {
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "redis", "rediss":
		return redis.Inspect(ctx, url)
	case "postgres", "postgresql":
		return postgres.Inspect(ctx, url)
	case "sqlite":
		state, err := sqlite.Inspect(ctx, rest)
		return state, nil, err
	}
	s, err := Open(ctx, url)
	if err != nil {
		return "", nil, err
	}
	return "", nil, errors.Join(s.Ping(ctx), s.Close())
}
