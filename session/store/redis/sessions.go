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
	// recordNet is how long after its expiry Redis itself drops a record that no sweeper came for: then
	// no replica has run for so long, and its refresh token is not revoked.
	recordNet = 30 * 24 * time.Hour
	// itemNet is the same for the outbox, whose workers drop an item earlier, and say so.
	itemNet = 90 * 24 * time.Hour
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
		[]string{s.keys.record(e.Name), s.keys.item(e.Name), s.keys.due(bucket), s.keys.names(bucket)},
		[]string{rueidis.BinaryString(value), decimal(due(e)), decimal(ms(e.ExpiresAt.Add(recordNet))), e.Name}).AsInt64()
	if err != nil {
		return err
	}
	if n == 0 {
		return storage.ErrExists
	}
	return s.replicated(ctx, c, append(s.keys.indicesWritten(e), s.keys.written(bucket))...)
}

// addIndex makes a record be found by its keys, before it is there or has them: a record that Find misses is one that
// nobody can end. Entries that name no record, or one that lacks the key, are passed over by Find; they go when nothing
// was added for as long as a record may live.
func (s *Store) addIndex(ctx context.Context, c *client, e storage.Entry) error {
	var commands rueidis.Commands
	for _, key := range e.Indices {
		k := s.keys.index(key)
		commands = append(commands, c.B().Sadd().Key(k).Member(e.Name).Build(),
			c.B().Pexpireat().Key(k).MillisecondsTimestamp(ms(e.ExpiresAt.Add(recordNet))).Build())
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

// replace runs the script that updates a record. Without indexed it does nothing, and answers 2, if the record gets keys
// that it is not yet found by.
func (s *Store) replace(ctx context.Context, c *client, e storage.Entry, rest []byte, indexed bool) (int64, error) {
	return scriptUpdate.Exec(ctx, c, []string{s.keys.record(e.Name), s.keys.due(bucketOf(e.Name))}, []string{
		e.Name, strconv.FormatUint(e.Version, 10), decimal(ms(e.ExpiresAt)), rueidis.BinaryString(rest),
		decimal(ms(e.ExpiresAt.Add(recordNet))), s.keys.changes(), strconv.FormatBool(indexed),
	}).AsInt64()
}

// Touch implements storage.Records.
func (s *Store) Touch(ctx context.Context, name string, lastActive, idleExpires time.Time) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	n, err := scriptTouch.Exec(ctx, c, []string{s.keys.record(name), s.keys.due(bucketOf(name))},
		[]string{name, decimal(ms(lastActive)), decimal(ms(idleExpires)), s.keys.changes()}).AsInt64()
	if err == nil && n == 0 {
		return storage.ErrNotFound
	}
	return err
}

// End implements storage.Records. A record that is gone may have been ended by this caller's last try, which no replica
// had confirmed.
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

// ending is what the script that ends a record is given.
func (s *Store) ending(name, reason string, at time.Time, onlyDue bool) rueidis.LuaExec {
	condition := "0"
	if onlyDue {
		condition = "1"
	}
	b := bucketOf(name)
	return rueidis.LuaExec{
		Keys: []string{s.keys.record(name), s.keys.item(name), s.keys.due(b), s.keys.names(b), s.keys.out(b), s.keys.ended(b)},
		Args: []string{name, reason, decimal(ms(at)), s.keys.changes(), decimal(ms(at.Add(itemNet))), condition},
	}
}

// dropIndex cleans up behind records that ended. What it can't do Find passes over.
func (s *Store) dropIndex(ctx context.Context, c *client, ended map[string][]byte) {
	var commands rueidis.Commands
	for name, section := range ended {
		for _, key := range indexKeys(section) {
			commands = append(commands, c.B().Srem().Key(s.keys.index(key)).Member(name).Build())
		}
	}
	c.DoMulti(ctx, commands...)
}

// EndExpired implements storage.Records. Two replicas may look at the same names; the script tells each
// end to one of them.
func (s *Store) EndExpired(ctx context.Context, reason string, now time.Time, limit int) ([]string, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	due, err := s.firstOf(ctx, c, s.keys.due, now, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	work := make([]rueidis.LuaExec, len(due))
	for i, n := range due {
		work[i] = s.ending(n, reason, now, true)
	}
	ended := map[string][]byte{}
	var names []string
	for i, r := range scriptEnd.ExecMulti(ctx, c, work...) {
		index, err := r.AsBytes()
		if rueidis.IsRedisNil(err) {
			continue
		}
		if err != nil {
			return names, err // those that were ended must be told
		}
		names = append(names, due[i])
		ended[due[i]] = index
	}
	s.dropIndex(ctx, c, ended)
	return names, nil
}

// firstOf returns at most limit members, of all buckets, whose score is not after now, lowest first.
func (s *Store) firstOf(ctx context.Context, c *client, set func(bucket int) string, now time.Time, limit int) ([]string, error) {
	commands := make(rueidis.Commands, buckets)
	for b := range buckets {
		commands[b] = c.B().Zrangebyscore().Key(set(b)).Min("-inf").Max(decimal(ms(now))).Withscores().Limit(0, int64(limit)).Build()
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
