package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/liveness"
)

// closeTime is for telling the server that a feed is over.
const closeTime = 250 * time.Millisecond

// Listen implements storage.ChangeFeed by LISTEN and NOTIFY. A listener gets messages in the order in which the
// transactions that sent them were committed (PostgreSQL manual, NOTIFY); so a beat that is sent after a
// change was committed comes after it.
func (s *Store) Listen(ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time)) error {
	if err := s.prepared(ctx); err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = conn.Close(closing) // it may be broken already
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return err
	}
	// Shared, for a connection that this process has given up and the server has not.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1, $2)", listeners, s.process); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := liveness.NewHeartbeat(1, func(ctx context.Context, _ int, beat string) error {
		_, err := s.exec(ctx, `SELECT pg_notify($1, $2)`, s.channel, beat)
		return err
	})
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil) // before waiting
	beating.Go(func() { p.Beat(ctx, every, cancel) })
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		at, isBeat := p.Back(n.Payload)
		if !at.IsZero() {
			proven(at)
		}
		if change, ok := storage.ParseChange(n.Payload); ok && !isBeat {
			heard(change)
		}
	}
}
