package session

import (
	"testing"

	"github.com/cloakroom/cloakroom/session/storage"
)

// BC9: no two users, and no user and sid, share a key.
func TestIndexKeysOfDifferentTuplesDiffer(t *testing.T) {
	seen := map[string]string{}
	for what, k := range map[string]string{
		"subject": subjectKey("a", "b"), "sid": sidKey("a", "b"), "id": idKey("b"),
		"shifted": subjectKey("ab", ""), "shifted too": subjectKey("", "ab"), "none": storage.IndexKey(), "empty": storage.IndexKey(""),
	} {
		if seen[k] != "" || k == "" {
			t.Errorf("%s and %s share a key", what, seen[k])
		}
		seen[k] = what
	}
}
