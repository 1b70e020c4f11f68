-- What a next version might add: a column that the build before it does not know.
ALTER TABLE sessions ADD COLUMN next TEXT NOT NULL DEFAULT 'next';
CREATE TABLE nexts (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
