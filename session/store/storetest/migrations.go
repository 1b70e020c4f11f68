package storetest

import (
	"regexp"
	"strings"
	"testing"
)

var (
	sqlComment = regexp.MustCompile(`(?m)--.*$`)
	takesAway  = regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE\s+FROM|UPDATE\s+\w+\s+SET|ALTER\s+COLUMN|ADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN))\b`)
	newColumn  = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b[^,;]*`)
)

// Additive wants of a migration that the build before it goes on working: it takes nothing away, and a row that is written
// without a new column is a row.
func Additive(t *testing.T, name, migration string) {
	t.Helper()
	if fault := unadditive(migration); fault != "" {
		t.Errorf("%s: %q: the build before it would stop working; see the rule beside the migrations", name, fault)
	}
}

// unadditive is the first part of a migration that is not.
func unadditive(migration string) string {
	migration = sqlComment.ReplaceAllString(migration, "")
	if found := takesAway.FindString(migration); found != "" {
		return found
	}
	for _, column := range newColumn.FindAllString(migration, -1) {
		if upper := strings.ToUpper(column); strings.Contains(upper, "NOT NULL") && !strings.Contains(upper, "DEFAULT") {
			return column
		}
	}
	return ""
}
