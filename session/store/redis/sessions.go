package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	// recordGrace is how long after its expiry Redis itself deletes a record. It does so only if no
	// replica has run for so long; the refresh token is not revoked then.
	recordGrace = 30 * 24 * time.Hour
	// itemGrace is the same for the outbox, whose workers give an item up earlier, and log that.
	itemGrace = 90 * 24 * time.Hour
)

// Create implements storage.Records.
func (s *Store) Create(ctx context.Context, e storage.Entry) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	value, err := encode(e)
	if err != nil {
		return err
	}
	if err := s.addIndex(ctx, c, e); err != nil {
		return err
	}
	bucket := bucketOf(e.Name)
	n, err := scriptCreate.Exec(ctx, c,
		[]string{
			s.keys.record(e.Name), s.keys.item(e.Name), s.keys.due(bucket), s.keys.names(bucket),
		},
		[]string{
			rueidis.BinaryString(value), decimal(due(e)),
			decimal(ms(e.ExpiresAt.Add(recordGrace))), e.Name,
		}).AsInt64()
	if err != nil {
		return err
	}
	if n == 0 {
		return storage.ErrExists
	}
	return s.replicated(ctx, c, append(s.keys.indicesWritten(e), s.keys.written(bucket))...)
}

// addIndex adds a record to the index under its keys, before the record exists or has them: nobody
// could end a record that Find misses. Find skips entries without a record and those whose record
// lacks the key. The entries of a key expire when nothing was added for as long as a record may
// live.
func (s *Store) addIndex(ctx context.Context, c *client, e storage.Entry) error {
	var commands rueidis.Commands
	for _, key := range e.Indices {
		k, expires := s.keys.index(key), ms(e.ExpiresAt.Add(recordGrace))
		commands = append(commands,
			c.B().Sadd().Key(k).Member(e.Name).Build(),
			c.B().Pexpireat().Key(k).MillisecondsTimestamp(expires).Build())
	}
	return firstError(c.DoMulti(ctx, commands...))
}

// Load implements storage.Records.
func (s *Store) Load(ctx context.Context, name string) (storage.Entry, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return storage.Entry{}, err
	}
	b, err := c.Do(ctx, c.B().Get().Key(s.keys.record(name)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return storage.Entry{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Entry{}, err
	}
	return decode(name, b)
}

// Update implements storage.Records.
func (s *Store) Update(ctx context.Context, e storage.Entry) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	rest, err := tail(e)
	if err != nil {
		return err
	}
	n, err := s.replace(ctx, c, e, rest, false)
	if err == nil && n == 2 {
		if err = s.addIndex(ctx, c, e); err == nil {
			err = s.replicated(ctx, c, s.keys.indicesWritten(e)...)
		}
		if err == nil {
			n, err = s.replace(ctx, c, e, rest, true)
		}
	}
	switch {
	case err != nil:
		return err
	case n == -1:
		return storage.ErrNotFound
	case n == 0:
		return storage.ErrConflict
	}
	return s.replicated(ctx, c, s.keys.written(bucketOf(e.Name)))
}

// replace runs the script that updates a record. Unless indexed is set, the script changes nothing
// and returns 2 if the record gets index keys that it is not yet found by.
func (s *Store) replace(
	ctx context.Context, c *client, e storage.Entry, rest []byte, indexed bool,
) (int64, error) {
	keys := []string{s.keys.record(e.Name), s.keys.due(bucketOf(e.Name))}
	return scriptUpdate.Exec(ctx, c, keys, []string{
		e.Name, strconv.FormatUint(e.Version, 10),
		decimal(ms(e.ExpiresAt)), rueidis.BinaryString(rest),
		decimal(ms(e.ExpiresAt.Add(recordGrace))), s.keys.changes(), strconv.FormatBool(indexed),
	}).AsInt64()
}

// Touch implements storage.Records.
func (s *Store) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	n, err := scriptTouch.Exec(ctx, c,
		[]string{s.keys.record(name), s.keys.due(bucketOf(name))},
		[]string{name, decimal(ms(lastActive)), decimal(ms(idleExpires)), s.keys.changes()},
	).AsInt64()
	if err == nil && n == 0 {
		return storage.ErrNotFound
	}
	return err
}

// End implements storage.Records. If the record is gone, this caller may have ended it in an
// earlier attempt that no replica confirmed; End returns ErrNotFound only once it is confirmed.
func (s *Store) End(ctx context.Context, name, reason string, at time.Time) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	ended := s.ending(name, reason, at, false)
	index, err := scriptEnd.Exec(ctx, c, ended.Keys, ended.Args).AsBytes()
	gone := rueidis.IsRedisNil(err)
	if err != nil && !gone {
		return err
	}
	s.dropIndex(ctx, c, map[string][]byte{name: index})
	err = s.replicated(ctx, c, s.keys.written(bucketOf(name)))
	switch {
	case err == nil && gone:
		return storage.ErrNotFound
	case err != nil && !gone:
		return fmt.Errorf("%w: %w", storage.ErrUnconfirmed, err)
	}
	return err
}

// ending returns the keys and arguments of the script that ends a record.
func (s *Store) ending(name, reason string, at time.Time, onlyDue bool) rueidis.LuaExec {
	condition := "0"
	if onlyDue {
		condition = "1"
	}
	b := bucketOf(name)
	return rueidis.LuaExec{
		Keys: []string{
			s.keys.record(name), s.keys.item(name),
			s.keys.due(b), s.keys.names(b), s.keys.out(b), s.keys.ended(b),
		},
		Args: []string{
			name, reason, decimal(ms(at)), s.keys.changes(),
			decimal(ms(at.Add(itemGrace))), condition,
		},
	}
}

// dropIndex removes ended records from the index. Find skips the entries that it fails to remove.
func (s *Store) dropIndex(ctx context.Context, c *client, ended map[string][]byte) {
	var commands rueidis.Commands
	for name, section := range ended {
		for _, key := range indexKeys(section) {
			commands = append(commands, c.B().Srem().Key(s.keys.index(key)).Member(name).Build())
		}
	}
	c.DoMulti(ctx, commands...)
}

// EndExpired implements storage.Records. If two replicas find the same names, the script reports
// each end to one of them only.
func (s *Store) EndExpired(
	ctx context.Context, reason string, now time.Time, limit int,
) ([]string, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	due, err := s.lowest(ctx, c, s.keys.due, now, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	calls := make([]rueidis.LuaExec, len(due))
	for i, n := range due {
		calls[i] = s.ending(n, reason, now, true)
	}
	ended := map[string][]byte{}
	var names []string
	for i, r := range scriptEnd.ExecMulti(ctx, c, calls...) {
		index, err := r.AsBytes()
		if rueidis.IsRedisNil(err) {
			continue
		}
		if err != nil {
			return names, err // the caller must announce those that were ended
		}
		names = append(names, due[i])
		ended[due[i]] = index
	}
	s.dropIndex(ctx, c, ended)
	return names, nil
}

// lowest returns at most limit members, of all buckets, whose score is not after now, lowest first.
func (s *Store) lowest(
	ctx context.Context, c *client, set func(bucket int) string, now time.Time, limit int,
) ([]string, error) {
	commands := make(rueidis.Commands, buckets)
	for b := range buckets {
		commands[b] = c.B().Zrangebyscore().Key(set(b)).Min("-inf").Max(decimal(ms(now))).
			Withscores().Limit(0, int64(limit)).Build()
	}
	var all []rueidis.ZScore
	for _, r := range c.DoMulti(ctx, commands...) {
		found, err := r.AsZScores()
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b rueidis.ZScore) int { return int(a.Score - b.Score) })
	members := make([]string, 0, min(limit, len(all)))
	for _, z := range all[:min(limit, len(all))] {
		members = append(members, z.Member)
	}
	return members, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func firstError(results []rueidis.RedisResult) error {
	for _, r := range results {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}
