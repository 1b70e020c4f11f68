package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

// A connection in use is detected by data that is never acknowledged, an idle one by keep-alive
// probes.
func TestSilentlyBrokenConnectionsAreDetected(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	server := servers.Redis(t)
	g := newGroup(server.URL())
	s := g.openURL(t, g.url)
	storetest.DeadConnections(t, s.Parts(), func() { servers.Vanish(t, server.Port) })
}

// The dedicated connections that wait for replicas are detected, too. This server has no replicas.
func TestSilentlyBrokenIdleConnectionsAreDetected(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	server := servers.Redis(t)
	g := newGroup(server.URL())
	s := g.openURL(t, g.url+"?wait_replicas=1")
	use := func(when string) {
		if _, err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping %s: %v", when, err)
		}
		if err := s.Create(t.Context(), entry()); err == nil || !strings.Contains(err.Error(), "0 replicas have it") {
			t.Errorf("create %s: %v, want that it is not replicated", when, err)
		}
	}
	use("before")
	servers.Vanish(t, server.Port)
	time.Sleep(10 * time.Second)
	use("10 s after the connections died")
}
