package storetest

import (
	"regexp"
	"strings"
	"testing"
)

var (
	sqlComment  = regexp.MustCompile(`(?m)--.*$`)
	destructive = regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE\s+FROM|UPDATE\s+\w+\s+SET|` +
		`ALTER\s+COLUMN|ADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN))\b`)
	newColumn = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b[^,;]*`)
)

// Additive checks that the previous build works after a migration: the migration removes and
// changes nothing, and rows can be written without its new columns.
func Additive(t *testing.T, name, migration string) {
	t.Helper()
	if fault := nonAdditive(migration); fault != "" {
		t.Errorf("%s: %q: the build before it would stop working; see the rule beside the migrations",
			name, fault)
	}
}

// nonAdditive returns the first part of a migration that breaks the rule, "" if there is none.
func nonAdditive(migration string) string {
	migration = sqlComment.ReplaceAllString(migration, "")
	if found := destructive.FindString(migration); found != "" {
		return found
	}
	for _, column := range newColumn.FindAllString(migration, -1) {
		upper := strings.ToUpper(column)
		if strings.Contains(upper, "NOT NULL") && !strings.Contains(upper, "DEFAULT") {
			return column
		}
	}
	return ""
}
