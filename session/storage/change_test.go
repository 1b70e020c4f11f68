package storage_test

import (
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
)

func TestChangesAreReadAsTheyWereTold(t *testing.T) {
	moment := time.UnixMilli(1_700_000_000_123).UTC()
	for _, c := range []storage.Change{
		{Kind: storage.RecordUpdated, Name: "n", Version: 7},
		{Kind: storage.RecordTouched, Name: "n", LastActive: moment, IdleExpires: moment.Add(time.Hour)},
		{Kind: storage.RecordTouched, Name: "n", LastActive: moment},
		{Kind: storage.RecordEnded, Name: "n", Reason: "logout"},
	} {
		if got, ok := storage.ParseChange(c.String()); !ok || got != c {
			t.Errorf("%q is read as %+v, want %+v", c, got, c)
		}
	}
	for _, other := range []string{"", "u", "u n", "u n x", "u n 1 2", "t n 1", "t n -1 2", "e n", "e n a b", "z n 1", "b id 1 0"} {
		if c, ok := storage.ParseChange(other); ok {
			t.Errorf("%q is read as %+v", other, c)
		}
	}
}
