package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

// In use, and quiet: those are found by what is never acknowledged, these by probes.
func TestConnectionsThatDieWithoutAWordAreFound(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	server := servers.Redis(t)
	g := newGroup(server.URL())
	s := g.openURL(t, g.url)
	storetest.DeadConnections(t, s.Parts(), func() { servers.Vanish(t, server.Port) })
}

// The connections that wait for replicas, of which there are none, are others than those for calls.
func TestQuietConnectionsThatDieWithoutAWordAreFound(t *testing.T) {
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
