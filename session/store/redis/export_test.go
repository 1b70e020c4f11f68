package redis

import "context"

// OpenAs opens a store as a build of a given layout version does.
func OpenAs(ctx context.Context, url string, build int) (*Store, error) {
	return open(ctx, url, build, false)
}
