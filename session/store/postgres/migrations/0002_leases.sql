-- Who may do something alone, and until when. A crash of the server empties it until 0004.
CREATE UNLOGGED TABLE leases (
  key    text PRIMARY KEY,
  holder text NOT NULL,
  until  bigint NOT NULL
);
