package local

import (
	"testing"
	"time"
)

func TestTombstonesStandForAnHour(t *testing.T) {
	now := time.Now()
	stones := NewTombstones[string, string]()
	stones.Opened("alice's", Identity{ID: "id", Provider: "main", Renewable: true})
	if who := stones.Ended("alice's", "logout", now); who == nil || who.ID != "id" || !who.Renewable {
		t.Errorf("it was %+v's", who)
	}
	if who := stones.Ended("alice's", "logout", now); who != nil {
		t.Errorf("a second end was %+v's, want nobody's: it is announced once", who)
	}
	for after, want := range map[time.Duration]bool{0: true, EndsKept: true, EndsKept + 1: false} {
		if reason, ended := stones.End("alice's", now.Add(after)); ended != want || ended && reason != "logout" {
			t.Errorf("after %v: ended %v for %q, want %v", after, ended, reason, want)
		}
	}
	if reason, at, known := stones.EndedAt("alice's"); !known || reason != "logout" || !at.Equal(now) {
		t.Errorf("ended for %q at %v, %v", reason, at, known)
	}
}

// A store that lags, or was restored, may be wrong about what it does not know.
func TestWhatTheStoreDidNotKnowIsForgottenSoon(t *testing.T) {
	now := time.Now()
	stones := NewTombstones[string, string]()
	stones.Missed("name", now)
	if reason, ended := stones.End("name", now.Add(missTime)); !ended || reason != "" {
		t.Errorf("ended %v for %q, want that it is gone, and nobody knows why", ended, reason)
	}
	if _, ended := stones.End("name", now.Add(missTime+1)); ended {
		t.Error("it is still taken to be gone")
	}
	if _, _, known := stones.EndedAt("name"); known {
		t.Error("it is known when it ended")
	}
}
