package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/store/layout"
)

// Inspect connects, writes a key that lasts a second, and looks at settings that decide whether sessions are
// safe. What this user may not ask is passed over. state says how the store's layout, which is left as it is, stands to
// this build.
func Inspect(ctx context.Context, url string) (state string, warnings []string, err error) {
	s, err := open(ctx, url, true)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = s.Close() }() // nothing was changed
	if err := s.Ping(ctx); err != nil {
		return "", nil, err
	}
	c, err := s.connected(ctx)
	if err != nil {
		return "", nil, err
	}
	if state, err = s.state(ctx, c); err != nil {
		return "", nil, err
	}
	for address, node := range c.Nodes() {
		warnings = append(warnings, inspect(ctx, address, node)...)
	}
	return state, warnings, nil
}

func (s *Store) state(ctx context.Context, c *client) (string, error) {
	has, err := s.version(ctx, c)
	if err != nil || has > 0 {
		return layout.Describe(has, version), err
	}
	used, err := s.unversioned(ctx, c)
	if used {
		return fmt.Sprintf("an older build's layout, without a version, which counts as %d; the next start brings it to %d", firstVersion, version), err
	}
	return fmt.Sprintf("the store is empty; layout version %d is made at the first start", version), err
}

func inspect(ctx context.Context, address string, node rueidis.Client) (warnings []string) {
	setting := func(name string) string {
		values, err := node.Do(ctx, node.B().ConfigGet().Parameter(name).Build()).AsStrMap()
		if err != nil {
			return ""
		}
		return values[name]
	}
	if policy := setting("maxmemory-policy"); policy != "" && policy != "noeviction" {
		warnings = append(warnings, fmt.Sprintf("%s: maxmemory-policy is %s: a session that is evicted is a user logged out and a token that nobody revokes; set noeviction", address, policy))
	}
	if setting("appendonly") == "no" {
		warnings = append(warnings, address+": there is no append-only file: a restart forgets sessions and revocations, all of them or those since the last snapshot; set appendonly yes")
	}
	info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	if err == nil && strings.Contains(info, "role:slave") {
		warnings = append(warnings, address+": is a replica")
	}
	return warnings
}
