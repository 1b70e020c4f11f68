package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/liveness"
)

// closeTime is how long it may take to tell the server that the listener's connection is closed.
const closeTime = 250 * time.Millisecond

// Listen implements storage.ChangeFeed by LISTEN and NOTIFY. A listener receives messages in the
// order in which the transactions that sent them were committed (PostgreSQL manual, NOTIFY). So a
// beat that is sent after a change was committed arrives after it.
func (s *Store) Listen(
	ctx context.Context, every time.Duration, heard func(storage.Change), proven func(time.Time),
) error {
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
		_ = conn.Close(closing) // the connection may be broken already
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		return err
	}
	// The lock is shared because the server may still hold it for a connection that this process
	// has given up.
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1, $2)", listeners, s.process)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	heartbeat := liveness.NewHeartbeat(1, func(ctx context.Context, _ int, beat string) error {
		_, err := s.exec(ctx, `SELECT pg_notify($1, $2)`, s.channel, beat)
		return err
	})
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil) // before the wait
	beating.Go(func() { heartbeat.Beat(ctx, every, cancel) })
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		at, isBeat := heartbeat.Back(n.Payload)
		if !at.IsZero() {
			proven(at)
		}
		if change, ok := storage.ParseChange(n.Payload); ok && !isBeat {
			heard(change)
		}
	}
}
