package resilience

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables into docs/scaling.md")

// The marks in the page between which the tables stand.
const (
	page  = "../docs/scaling.md"
	begin = "<!-- made from resilience/policies.go: go test ./resilience -update -->\n"
	end   = "<!-- end of what is made from resilience/policies.go -->\n"
)

// TestOperatorsSeeTheTables: docs/scaling.md has the very figures that the code goes by.
func TestOperatorsSeeTheTables(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no section of tables", page)
	}
	want := tables()
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the tables in %s are stale (go test ./resilience -update):\n%s", page, cmp.Diff(got, want))
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func tables() string {
	var b strings.Builder
	b.WriteString("\n| what is tried again | pause | jitter | given up after |\n|---|---|---|---|\n")
	for _, r := range retries {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.pauses.words(), r.pauses.spread(), r.limit.words())
	}
	b.WriteString("\n| what has a circuit breaker | opens after | stays open | jitter |\n|---|---|---|---|\n")
	for _, r := range breakers {
		opens, stays := fmt.Sprintf("%d failures in a row", r.failures), r.pauses.words()
		if r.maxRetryAfter > 0 {
			opens += ", or 1 with `Retry-After`"
			stays += "; as long as `Retry-After` says, " + duration(r.maxRetryAfter) + " at most"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, opens, stays, r.pauses.spread())
	}
	b.WriteString("\n| what has a bulkhead | at once | a slow one gives up its place after |\n|---|---|---|\n")
	for _, r := range bulkheads {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", r.what, r.places, unless(r.slow == 0, "never", duration(r.slow)))
	}
	return b.String() + "\n"
}

func (p Pauses) words() string {
	return unless(p.factor == 1, duration(p.first), fmt.Sprintf("%s, doubled up to %s", duration(p.first), duration(p.longest)))
}

func (p Pauses) spread() string {
	return unless(p.jitter == 0, "none", fmt.Sprintf("±%.0f %%", p.jitter*100))
}

func (l limit) words() string {
	switch {
	case l.note != "":
		return l.note
	case l.tries > 0:
		return fmt.Sprintf("%d tries", l.tries)
	case l.within > 0:
		return duration(l.within)
	}
	return "never"
}

func unless(special bool, that, usual string) string {
	if special {
		return that
	}
	return usual
}

// duration writes a duration in the largest unit that leaves no fraction.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d%unit.d == 0 {
			return fmt.Sprintf("%d %s", d/unit.d, unit.name)
		}
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
