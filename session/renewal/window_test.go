package renewal

import (
	"fmt"
	"testing"
	"time"
)

// TestAgeOfATokenFollowsItsLife walks lives of different length through their ages (RN13: from our
// own clock alone).
func TestAgeOfATokenFollowsItsLife(t *testing.T) {
	t0 := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		length, at time.Duration
		want       age
	}{
		{5 * time.Minute, 0, fresh},
		{5 * time.Minute, 3*time.Minute + 29*time.Second, fresh}, // 70 % less a second
		{5 * time.Minute, 4 * time.Minute, aging},                // 80 %
		{5 * time.Minute, 4*time.Minute + 49*time.Second, aging},
		{5 * time.Minute, 4*time.Minute + 50*time.Second, stale}, // ten seconds left
		{5 * time.Minute, 5 * time.Minute, dead},
		{2 * time.Second, time.Second, fresh}, // a token of two seconds works too
		{2 * time.Second, 1700 * time.Millisecond, aging},
		{2 * time.Second, 1800 * time.Millisecond, stale}, // a tenth left
		{2 * time.Second, 2 * time.Second, dead},
		{time.Hour, -30 * time.Second, fresh}, // another replica's clock
		{time.Hour, -2 * time.Hour, aging},    // our clock was set back
		{0, 0, dead},
		{-time.Hour, 0, dead},
	} {
		l := life{t0, t0.Add(c.length)}
		if got := l.at(t0.Add(c.at), defaultSoft, "id"); got != c.want {
			t.Errorf("age of a token of %v after %v = %d, want %d", c.length, c.at, got, c.want)
		}
	}
}

// TestSoftTimesOfManySessionsAreSpread: sessions that began together are not renewed together, and
// one session has the same soft time wherever it is asked for.
func TestSoftTimesOfManySessionsAreSpread(t *testing.T) {
	t0 := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := life{t0, t0.Add(1000 * time.Second)}
	var tenth [10]int
	for i := range 1000 {
		seed := fmt.Sprintf("record-%d", i)
		at := l.share(defaultSoft, seed)
		if at < 700*time.Second || at >= 800*time.Second {
			t.Fatalf("soft time of %s = %v, want within 700s and 800s", seed, at)
		}
		if again := l.share(defaultSoft, seed); again != at {
			t.Fatalf("soft time of %s = %v, then %v", seed, at, again)
		}
		tenth[(at-700*time.Second)/(10*time.Second)]++
	}
	for i, n := range tenth {
		if n < 60 || n > 140 {
			t.Errorf("soft times in tenth %d = %d of 1000, want about 100", i, n)
		}
	}
}

// TestSoftTimeOfOneNeverRenewsEarly shows the upper end of the setting.
func TestSoftTimeOfOneNeverRenewsEarly(t *testing.T) {
	t0 := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := life{t0, t0.Add(100 * time.Second)}
	for i := range 100 {
		if got := l.at(t0.Add(89*time.Second), 1.05, fmt.Sprint(i)); got != fresh {
			t.Fatalf("age = %d, want fresh", got)
		}
	}
}
