package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

// Inspect connects, writes a key that lasts a second, and examines settings that decide whether
// sessions are safe, as far as this user may read them. It does not change the store's layout.
func Inspect(ctx context.Context, url string) (seen storage.Inspection, err error) {
	s, err := open(ctx, url, version, true)
	if err != nil {
		return seen, err
	}
	defer func() { _ = s.Close() }() // nothing that lasts was written
	sent := time.Now()
	at, err := s.Ping(ctx)
	if err != nil {
		return seen, err
	}
	if at.IsZero() {
		seen.Warnings = append(seen.Warnings, "this user may not ask for the server's time, "+
			"so that each replica goes by its machine's clock; allow +time")
	} else {
		seen.Ahead = sent.Add(time.Since(sent) / 2).Sub(at)
	}
	c, err := s.connected(ctx)
	if err != nil {
		return seen, err
	}
	if seen.Layout, seen.Current, err = s.layoutState(ctx, c); err != nil {
		return seen, err
	}
	for address, node := range c.Nodes() {
		seen.Warnings = append(seen.Warnings, inspect(ctx, address, node)...)
	}
	return seen, nil
}

// layoutState describes the layout, and reports whether the next start would change it.
func (s *Store) layoutState(ctx context.Context, c *client) (text string, current bool, err error) {
	has, err := s.version(ctx, c)
	if err != nil || has > 0 {
		return layout.Describe(has, s.build), has >= s.build, err
	}
	used, err := s.unversioned(ctx, c)
	if used {
		return fmt.Sprintf(
			"layout without a version, which counts as %d; the next start writes down %d",
			firstVersion, s.build,
		), false, err
	}
	return fmt.Sprintf(
		"the store is empty; layout version %d is made at the first start", s.build,
	), false, err
}

// inspect returns warnings about the settings of one node.
func inspect(ctx context.Context, address string, node rueidis.Client) (warnings []string) {
	setting := func(name string) string {
		values, err := node.Do(ctx, node.B().ConfigGet().Parameter(name).Build()).AsStrMap()
		if err != nil {
			return ""
		}
		return values[name]
	}
	if policy := setting("maxmemory-policy"); policy != "" && policy != "noeviction" {
		warnings = append(warnings, fmt.Sprintf(
			"%s: maxmemory-policy is %s: a session that is evicted is a user logged out "+
				"and a token that nobody revokes; set noeviction",
			address, policy,
		))
	}
	if setting("appendonly") == "no" {
		warnings = append(warnings, address+": there is no append-only file: "+
			"a restart forgets sessions and revocations, all of them or those since the last "+
			"snapshot; set appendonly yes")
	}
	info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	if err == nil && strings.Contains(info, "role:slave") {
		warnings = append(warnings, address+": is a replica")
	}
	return warnings
}
