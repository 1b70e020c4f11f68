-- A lease whose holder's process still listens is not over when its time is: that process is frozen, and will go on.
-- process is the advisory lock that it holds while it listens, last the moment from which it is waited for no more.
ALTER TABLE leases
  ADD COLUMN process integer NOT NULL DEFAULT 0,
  ADD COLUMN last bigint NOT NULL DEFAULT 0;
