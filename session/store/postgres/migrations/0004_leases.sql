-- A lease must outlive a crash of the server: whoever has it may have a refresh token on its way to a provider,
-- which ends the session if another replica sends the same one.
ALTER TABLE leases SET LOGGED;
