package redis

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

// Find implements storage.Finder. It removes an index entry when the outbox shows that its record
// has ended. An entry without a record may belong to a session that is being created right now.
func (s *Store) Find(ctx context.Context, key string) ([]string, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	members, err := c.Do(ctx, c.B().Smembers().Key(s.keys.index(key)).Build()).AsStrSlice()
	if err != nil || len(members) == 0 {
		return nil, err
	}
	commands := make(rueidis.Commands, len(members))
	for i, m := range members {
		commands[i] = c.B().Getrange().Key(s.keys.record(m)).Start(0).End(maxIndexed - 1).Build()
	}
	var names []string
	var missing []string
	for i, r := range c.DoMulti(ctx, commands...) {
		b, err := r.AsBytes()
		if err != nil {
			return nil, err
		}
		if hasKey(b, key) {
			names = append(names, members[i])
		} else if len(b) == 0 { // a record that lacks the key may be about to get it
			missing = append(missing, members[i])
		}
	}
	s.dropEnded(ctx, c, key, missing)
	slices.Sort(names)
	return names, nil
}

// dropEnded removes those members from an index whose records have ended.
func (s *Store) dropEnded(ctx context.Context, c *client, key string, members []string) {
	exist := make(rueidis.Commands, len(members))
	for i, m := range members {
		exist[i] = c.B().Exists().Key(s.keys.item(m)).Build()
	}
	var stale rueidis.Commands
	for i, r := range c.DoMulti(ctx, exist...) {
		if n, err := r.AsInt64(); err == nil && n == 1 {
			stale = append(stale, c.B().Srem().Key(s.keys.index(key)).Member(members[i]).Build())
		}
	}
	c.DoMulti(ctx, stale...)
}

// hasKey reports whether key is among the index keys at the beginning of a record.
func hasKey(b []byte, key string) bool {
	_, rest, err := header("", b)
	if err != nil {
		return false
	}
	index, _ := indexOf(rest)
	return slices.Contains(index, key)
}

// List implements storage.Finder.
func (s *Store) List(ctx context.Context, after string, limit int) ([]storage.Entry, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	var page []storage.Entry
	for b := bucketOf(after); b < buckets && len(page) < limit; b++ {
		found, err := s.listBucket(ctx, c, b, after, limit-len(page))
		if err != nil {
			return nil, err
		}
		page = append(page, found...)
	}
	return page, nil
}

// listBucket reads until it has limit records or there are no more. It skips names whose records
// Redis has deleted.
func (s *Store) listBucket(
	ctx context.Context, c *client, bucket int, after string, limit int,
) (page []storage.Entry, err error) {
	for len(page) < limit {
		start := "-"
		if after != "" {
			start = "(" + after
		}
		want := limit - len(page)
		command := c.B().Zrangebylex().Key(s.keys.names(bucket)).Min(start).Max("+").
			Limit(0, int64(want)).Build()
		names, err := c.Do(ctx, command).AsStrSlice()
		if err != nil {
			return nil, err
		}
		found, err := s.headers(ctx, c, names)
		if err != nil {
			return nil, err
		}
		page = append(page, found...)
		if len(names) < want {
			return page, nil
		}
		after = names[len(names)-1]
	}
	return page, nil
}

func (s *Store) headers(
	ctx context.Context, c *client, names []string,
) (page []storage.Entry, err error) {
	commands := make(rueidis.Commands, len(names))
	for i, n := range names {
		commands[i] = c.B().Getrange().Key(s.keys.record(n)).Start(0).End(maxHeader - 1).Build()
	}
	for i, r := range c.DoMulti(ctx, commands...) {
		b, err := r.AsBytes()
		if err != nil {
			return nil, err
		}
		if len(b) == 0 {
			continue
		}
		e, _, err := header(names[i], b)
		if err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, nil
}

// Count implements storage.Finder. Its cost does not depend on the number of records.
func (s *Store) Count(ctx context.Context) (int, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return 0, err
	}
	return s.cardinality(ctx, c, s.keys.names)
}

// cardinality returns how many members the sets of all buckets have together.
func (s *Store) cardinality(
	ctx context.Context, c *client, set func(bucket int) string,
) (int, error) {
	commands := make(rueidis.Commands, buckets)
	for b := range buckets {
		commands[b] = c.B().Zcard().Key(set(b)).Build()
	}
	total := int64(0)
	for _, r := range c.DoMulti(ctx, commands...) {
		n, err := r.AsInt64()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return int(total), nil
}
