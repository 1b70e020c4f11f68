package store

import (
	"context"
	"errors"
	"strings"

	"github.com/cloakroom/cloakroom/session/store/postgres"
	"github.com/cloakroom/cloakroom/session/store/redis"
)

// Inspect tries the store that a URL names, and returns what an operator should know of how it is set up. It
// changes nothing that lasts: no schema is made or brought up to date.
func Inspect(ctx context.Context, url string) (warnings []string, err error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "redis", "rediss":
		return redis.Inspect(ctx, url)
	case "postgres", "postgresql":
		return postgres.Inspect(ctx, url)
	}
	s, err := Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(s.Ping(ctx), s.Close())
}
