-- Keys are compared by bytes: an index in the order of a locale breaks when the system's locales change.
ALTER TABLE marks ALTER COLUMN key TYPE text COLLATE "C";
ALTER TABLE leases ALTER COLUMN key TYPE text COLLATE "C";
