package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// Inspect connects, writes a key that lasts a second, and looks at settings that decide whether sessions are
// safe. What this user may not ask is passed over.
func Inspect(ctx context.Context, url string) (warnings []string, err error) {
	s, err := Open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // nothing was changed
	if err := s.Ping(ctx); err != nil {
		return nil, err
	}
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	for address, node := range c.Nodes() {
		warnings = append(warnings, inspect(ctx, address, node)...)
	}
	return warnings, nil
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
