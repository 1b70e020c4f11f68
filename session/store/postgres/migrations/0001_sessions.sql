-- Times are milliseconds since 1970; 0 is none. Names sort by bytes.
CREATE TABLE sessions (
  name         text COLLATE "C" PRIMARY KEY,
  version      bigint NOT NULL,
  provider     text NOT NULL,
  created_at   bigint NOT NULL,
  expires_at   bigint NOT NULL,
  idle_expires bigint NOT NULL,
  last_active  bigint NOT NULL,
  -- when the sweeper must look at it: the earlier of the two expiries
  due_at       bigint NOT NULL GENERATED ALWAYS AS
                 (CASE WHEN idle_expires > 0 AND idle_expires < expires_at THEN idle_expires ELSE expires_at END) STORED,
  sealed       bytea NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
-- Rows are written anew all the time. A renewal changes nothing that is indexed, and stays on its page if there
-- is room (HOT). A touch moves due_at, and pays for two index entries: the sweeper would have to read the whole
-- table without. last_active is not indexed. Vacuum comes at a twentieth of the rows and not a fifth, for what
-- is out of line too.
-- What is sealed can't be compressed; out of line it is not copied by a touch.
ALTER TABLE sessions ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX sessions_due ON sessions (due_at);

CREATE TABLE session_index (
  key  text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
  PRIMARY KEY (key, name)
);
CREATE INDEX session_index_name ON session_index (name);

CREATE TABLE outbox (
  id         text COLLATE "C" PRIMARY KEY,
  origin     text NOT NULL,
  provider   text NOT NULL,
  reason     text NOT NULL,
  ended_at   bigint NOT NULL,
  not_before bigint NOT NULL,
  attempts   integer NOT NULL DEFAULT 0,
  last_error text NOT NULL DEFAULT '',
  sealed     bytea NOT NULL
);
ALTER TABLE outbox ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX outbox_due ON outbox (not_before);
CREATE INDEX outbox_age ON outbox (ended_at, id);

CREATE TABLE marks (
  key   text PRIMARY KEY,
  until bigint NOT NULL
);
CREATE INDEX marks_until ON marks (until);
