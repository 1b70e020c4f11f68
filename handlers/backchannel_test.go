package handlers

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Each network has its own share: an IPv4 address, or 64 bits of IPv6.
func TestLogoutsAreLimitedByNetwork(t *testing.T) {
	b := newBackchannel(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	for name, addr := range map[string]func(i int) string{
		"one address":       func(int) string { return "192.0.2.1" },
		"one mapped":        func(int) string { return "::ffff:192.0.2.2" },
		"one IPv6 network":  func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
		"no address at all": func(int) string { return "invalid IP" },
	} {
		allowed := 0
		for i := range 10 * logoutBurst {
			if b.allows(addr(i)) {
				allowed++
			}
		}
		if allowed < logoutBurst || allowed > 2*logoutBurst {
			t.Errorf("%s may ask %d times at once, want %d", name, allowed, logoutBurst)
		}
	}
	for i := range 10 {
		if addr := fmt.Sprintf("198.51.100.%d", i); !b.allows(addr) {
			t.Errorf("%s pays for others", addr)
		}
	}
}
