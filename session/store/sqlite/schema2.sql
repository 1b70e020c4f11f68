-- Version 2: leases, for two processes on one machine (one that takes over from the other).
CREATE TABLE leases (
  key    TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
