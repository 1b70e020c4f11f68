-- Version 1. Times are milliseconds since 1970; 0 is none.
CREATE TABLE sessions (
  name         TEXT PRIMARY KEY,
  version      INTEGER NOT NULL,
  sealed       BLOB NOT NULL,
  provider     TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  idle_expires INTEGER NOT NULL,
  last_active  INTEGER NOT NULL,
  -- when the sweeper must look at it: the earlier of the two expiries
  due_at       INTEGER GENERATED ALWAYS AS (CASE WHEN idle_expires > 0 AND idle_expires < expires_at THEN idle_expires ELSE expires_at END) VIRTUAL
) WITHOUT ROWID;
CREATE INDEX sessions_due ON sessions (due_at);

CREATE TABLE session_index (
  key  TEXT NOT NULL,
  name TEXT NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
  PRIMARY KEY (key, name)
) WITHOUT ROWID;
CREATE INDEX session_index_name ON session_index (name);

CREATE TABLE outbox (
  id         TEXT PRIMARY KEY,
  origin     TEXT NOT NULL,
  provider   TEXT NOT NULL,
  reason     TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  ended_at   INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  last_error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (not_before);

CREATE TABLE marks (
  key   TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX marks_until ON marks (until);
