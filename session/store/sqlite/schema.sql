-- Version 1. Times are milliseconds since 1970; 0 is none. Rows hold kilobytes, which is why the tables
-- have row ids: SQLite advises against WITHOUT ROWID for large rows.
CREATE TABLE sessions (
  id           INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  version      INTEGER NOT NULL,
  provider     TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  idle_expires INTEGER NOT NULL,
  last_active  INTEGER NOT NULL,
  -- when the sweeper must look at it: the earlier of the two expiries
  due_at       INTEGER GENERATED ALWAYS AS (CASE WHEN idle_expires > 0 AND idle_expires < expires_at THEN idle_expires ELSE expires_at END) VIRTUAL,
  sealed       BLOB NOT NULL -- last, so that a touch rewrites no more than the row's first page
) STRICT;
CREATE INDEX sessions_due ON sessions (due_at);

CREATE TABLE session_index (
  key     TEXT NOT NULL,
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  PRIMARY KEY (key, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_index_session ON session_index (session);

CREATE TABLE outbox (
  row        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  origin     TEXT NOT NULL,
  provider   TEXT NOT NULL,
  reason     TEXT NOT NULL,
  ended_at   INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  last_error TEXT NOT NULL DEFAULT '',
  sealed     BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (not_before);
CREATE INDEX outbox_age ON outbox (ended_at, id);

CREATE TABLE marks (
  key   TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_until ON marks (until);
