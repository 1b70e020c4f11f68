package redis

import "context"

// OpenAs opens a store as a build does that makes a version of the layout.
func OpenAs(ctx context.Context, url string, build int) (*Store, error) {
	return open(ctx, url, build, false)
}
