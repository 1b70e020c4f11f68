package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/store/layout"
)

// firstVersion is the layout version of a store that holds sessions and no version: it was made
// before layouts had versions. Builds from that time see neither the version nor what later ones
// change.
const firstVersion = 1

// layoutTime is how long the version may take to arrive on a new connection.
const layoutTime = answerTime

// A new layout version only adds: another key, a field of the outbox's hashes, or something behind
// the sealed part. The previous build runs beside this one during an upgrade, and again after a
// rollback. It must be able to read every record that this build writes, its scripts must leave
// alone what they don't know, and no script of this build may need what the previous build did not
// write. A record's format (record.go) can change only two versions after all builds can read the
// new one.

// checkLayout returns nil if this build may use the store. It gives the store its version if it has
// none or an older one. Usually that is one GET, which a server that accepts no writes answers,
// too.
func (s *Store) checkLayout(ctx context.Context, c rueidis.Client) error {
	has, err := s.version(ctx, c)
	if err != nil {
		return err
	}
	if has == s.build {
		return nil
	}
	if has == 0 {
		used, err := s.unversioned(ctx, c)
		if err != nil {
			return fmt.Errorf("look for a layout without a version: %w", err)
		}
		has = s.build
		if used {
			has = firstVersion
		}
	}
	err = layout.Check(has, s.build, func() (bool, error) { return s.inUse(ctx, c) })
	if err != nil || has > s.build || s.inspectOnly {
		return err
	}
	raised, err := scriptRaise.
		Exec(ctx, c, []string{s.keys.layout()}, []string{strconv.Itoa(s.build)}).AsInt64()
	if err != nil {
		return fmt.Errorf("write the layout's version: %w", err)
	}
	return layout.Check(int(raised), s.build, func() (bool, error) { return false, nil })
}

// version returns the store's layout version, 0 if it has none.
func (s *Store) version(ctx context.Context, c rueidis.Client) (int, error) {
	text, err := c.Do(ctx, c.B().Get().Key(s.keys.layout()).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the layout's version: %w", err)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the key %s holds no version of a layout", s.keys.layout())
	}
	return n, nil
}

// unversioned reports whether the store holds records or revocations.
func (s *Store) unversioned(ctx context.Context, c rueidis.Client) (bool, error) {
	commands := make(rueidis.Commands, buckets)
	for b := range buckets {
		commands[b] = c.B().Exists().Key(s.keys.names(b), s.keys.ended(b)).Build()
	}
	for _, r := range c.DoMulti(ctx, commands...) {
		if n, err := r.AsInt64(); err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// inUse reports whether any process listens to the store's change feed.
func (s *Store) inUse(ctx context.Context, c rueidis.Client) (bool, error) {
	for _, node := range c.Nodes() {
		command := node.B().PubsubNumsub().Channel(s.keys.changes()).Build()
		counts, err := node.Do(ctx, command).AsIntMap()
		if err != nil {
			return false, err
		}
		if counts[s.keys.changes()] > 0 {
			return true, nil
		}
	}
	return false, nil
}
