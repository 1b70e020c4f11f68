package redis

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// Enqueue implements storage.Outbox.
func (s *Store) Enqueue(ctx context.Context, r storage.Revocation) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	b := bucketOf(r.ID)
	names := []string{s.keys.item(r.ID), s.keys.out(b), s.keys.ended(b)}
	err = scriptEnqueue.Exec(ctx, c, names, []string{
		r.ID, decimal(ms(r.NotBefore)),
		decimal(ms(r.EndedAt)), decimal(ms(r.EndedAt.Add(itemGrace))),
		r.Origin, r.Provider, r.Reason,
		rueidis.BinaryString(keys.HeadOf(r.Sealed)), rueidis.BinaryString(r.Sealed),
	}).Error()
	if err != nil {
		return err
	}
	return s.replicated(ctx, c, s.keys.written(b))
}

// Lease implements storage.Outbox.
func (s *Store) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) ([]storage.Revocation, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	due, err := s.lowest(ctx, c, s.keys.out, now, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	calls := make([]rueidis.LuaExec, len(due))
	for i, id := range due {
		b := bucketOf(id)
		calls[i] = rueidis.LuaExec{
			Keys: []string{s.keys.item(id), s.keys.out(b), s.keys.ended(b)},
			Args: []string{id, decimal(ms(now)), decimal(ms(now.Add(lease)))},
		}
	}
	var leased []storage.Revocation
	for i, r := range scriptLease.ExecMulti(ctx, c, calls...) {
		fields, err := r.ToArray()
		if rueidis.IsRedisNil(err) {
			continue // another worker has leased it, or it is done
		}
		if err != nil {
			return leased, err
		}
		item, err := revocation(due[i], fields)
		if err != nil {
			return leased, err
		}
		item.NotBefore = now.Add(lease)
		item.Head = nil
		leased = append(leased, item)
	}
	return leased, nil
}

// fields are the fields of an outbox item, in the order in which revocation reads them; sealed is
// last.
var fields = []string{
	"origin", "provider", "reason", "ended", "attempts", "error", "head", "sealed",
}

// revocation reads the fields of an item; the last may be left out.
func revocation(id string, values []rueidis.RedisMessage) (r storage.Revocation, err error) {
	texts := make([]string, len(fields))
	for i, v := range values {
		if v.IsNil() {
			continue
		}
		if texts[i], err = v.ToString(); err != nil {
			return r, err
		}
	}
	ended, err := strconv.ParseInt(texts[3], 10, 64)
	if err != nil {
		return r, errFormat
	}
	attempts, err := strconv.Atoi(texts[4])
	if err != nil {
		return r, errFormat
	}
	r = storage.Revocation{
		ID: id, Origin: texts[0], Provider: texts[1], Reason: texts[2], EndedAt: at(ended),
		Attempts: attempts, LastError: texts[5], Head: []byte(texts[6]),
	}
	if texts[7] != "" {
		r.Sealed = []byte(texts[7])
	}
	return r, nil
}

// Retry implements storage.Outbox.
func (s *Store) Retry(ctx context.Context, id string, notBefore time.Time, lastError string) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	keys := []string{s.keys.item(id), s.keys.out(bucketOf(id))}
	return scriptRetry.Exec(ctx, c, keys, []string{id, decimal(ms(notBefore)), lastError}).Error()
}

// Done implements storage.Outbox.
func (s *Store) Done(ctx context.Context, id string) error {
	c, err := s.connected(ctx)
	if err != nil {
		return err
	}
	b := bucketOf(id)
	keys := []string{s.keys.item(id), s.keys.out(b), s.keys.ended(b)}
	return scriptDone.Exec(ctx, c, keys, []string{id}).Error()
}

// Revocations implements storage.Outbox.
func (s *Store) Revocations(ctx context.Context, limit int) ([]storage.Revocation, int, error) {
	c, err := s.connected(ctx)
	if err != nil {
		return nil, 0, err
	}
	pending, err := s.cardinality(ctx, c, s.keys.ended)
	if err != nil || pending == 0 {
		return nil, 0, err
	}
	ids, err := s.oldest(ctx, c, limit)
	if err != nil {
		return nil, 0, err
	}
	commands := make(rueidis.Commands, 0, 2*len(ids))
	for _, id := range ids {
		commands = append(commands,
			c.B().Hmget().Key(s.keys.item(id)).Field(fields[:len(fields)-1]...).Build(),
			c.B().Zscore().Key(s.keys.out(bucketOf(id))).Member(id).Build())
	}
	var page []storage.Revocation
	results := c.DoMulti(ctx, commands...)
	for i, id := range ids {
		values, err := results[2*i].ToArray()
		if err != nil {
			return nil, 0, err
		}
		item, err := revocation(id, values)
		if err != nil {
			continue // it was delivered in between
		}
		if due, err := results[2*i+1].AsFloat64(); err == nil {
			item.NotBefore = at(int64(due))
		}
		page = append(page, item)
	}
	return page, pending, nil
}

// oldest returns the ids of the items whose sessions ended first.
func (s *Store) oldest(ctx context.Context, c *client, limit int) ([]string, error) {
	commands := make(rueidis.Commands, buckets)
	for b := range buckets {
		commands[b] = c.B().Zrange().Key(s.keys.ended(b)).
			Min("0").Max(strconv.Itoa(limit - 1)).Withscores().Build()
	}
	var all []rueidis.ZScore
	for _, r := range c.DoMulti(ctx, commands...) {
		found, err := r.AsZScores()
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b rueidis.ZScore) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Member, b.Member))
	})
	ids := make([]string, 0, limit)
	for _, z := range all[:min(limit, len(all))] {
		ids = append(ids, z.Member)
	}
	return ids, nil
}
