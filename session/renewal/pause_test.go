package renewal

import (
	"errors"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/resilience"
)

// TestPausesGrowWithJitterAndObeyRetryAfter (RN14).
func TestPausesGrowWithJitterAndObeyRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := newPauses[string]()
	pauses := resilience.Renewal.Pauses().BackOff()
	pauses.RandomizationFactor = 0
	for range 12 {
		base := pauses.NextBackOff()
		p.failed("a", now, &provider.UnreachableError{})
		err := p.err("a", "main", now)
		unreachable, ok := errors.AsType[*provider.UnreachableError](err)
		if !ok || unreachable.RetryAfter < base/2 || unreachable.RetryAfter >= base*3/2 {
			t.Fatalf("pause = %v, want within half of %v", err, base)
		}
		now = now.Add(unreachable.RetryAfter)
		if err := p.err("a", "main", now); err != nil {
			t.Fatalf("after the pause = %v, want none", err)
		}
	}
	p.failed("a", now, &provider.UnreachableError{RetryAfter: time.Minute})
	if err := p.err("a", "main", now.Add(59*time.Second)); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("59 s after Retry-After: 60 = %v, want %v", err, provider.ErrUnreachable)
	}
	if err := p.err("b", "main", now); err != nil {
		t.Errorf("another session = %v, want no pause", err)
	}
	p.clear("a")
	if err := p.err("a", "main", now); err != nil {
		t.Errorf("after a success = %v, want no pause", err)
	}
	p.failed("a", now, provider.ErrMisconfigured)
	if err := p.err("a", "main", now); !errors.Is(err, provider.ErrMisconfigured) {
		t.Errorf("pause of a refused client = %v, want %v", err, provider.ErrMisconfigured)
	}
}
