package storetest

import "testing"

func TestMigrationsThatBreakThePreviousBuildAreFound(t *testing.T) {
	for migration, fault := range map[string]bool{
		"CREATE TABLE a (b text NOT NULL); -- DROP TABLE c":               false,
		"ALTER TABLE a ADD COLUMN b text, ADD COLUMN c int DEFAULT 0":     false,
		"ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0":               false,
		"ALTER TABLE a ADD COLUMN b text NOT NULL, ADD c int DEFAULT 0":   true,
		"alter table a drop column b":                                     true,
		"ALTER TABLE a RENAME b TO c":                                     true,
		"ALTER TABLE a ALTER\n COLUMN b TYPE bigint":                      true,
		"ALTER TABLE a ADD CONSTRAINT positive CHECK (b > 0)":             true,
		"CREATE INDEX i ON a (b);\nUPDATE a SET b = b || 'in a new form'": true,
	} {
		if got := nonAdditive(migration); (got != "") != fault {
			t.Errorf("%q: %q, want a fault: %v", migration, got, fault)
		}
	}
}
