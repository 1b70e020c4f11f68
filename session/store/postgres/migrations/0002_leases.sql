-- Who may do something alone, and until when. A crash of the server may empty it: a lease saves traffic.
CREATE UNLOGGED TABLE leases (
  key    text PRIMARY KEY,
  holder text NOT NULL,
  until  bigint NOT NULL
);
