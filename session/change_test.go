package session_test

import (
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func TestChangesAreReadAsTheyWereTold(t *testing.T) {
	moment := time.UnixMilli(1_700_000_000_123).UTC()
	for _, c := range []session.Change{
		{Kind: session.RecordUpdated, Name: "n", Version: 7},
		{Kind: session.RecordTouched, Name: "n", LastActive: moment, IdleExpires: moment.Add(time.Hour)},
		{Kind: session.RecordTouched, Name: "n", LastActive: moment},
		{Kind: session.RecordEnded, Name: "n", Reason: session.ReasonLogout},
	} {
		if got, ok := session.ParseChange(c.String()); !ok || got != c {
			t.Errorf("%q is read as %+v, want %+v", c, got, c)
		}
	}
	for _, other := range []string{"", "u", "u n", "u n x", "u n 1 2", "t n 1", "t n -1 2", "e n", "e n a b", "z n 1", "b id 1 0"} {
		if c, ok := session.ParseChange(other); ok {
			t.Errorf("%q is read as %+v", other, c)
		}
	}
}
