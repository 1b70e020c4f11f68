package postgres_test

import (
	"context"
	"fmt"
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
	g := newGroup(t, "fsync=off")
	storetest.DeadConnections(t, g.openNew(t).Parts(), func() { servers.Vanish(t, g.Port) })
}

func TestSilentlyBrokenIdleConnectionsAreDetected(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	g := newGroup(t, "fsync=off")
	s := g.openNew(t)
	if _, err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	servers.Vanish(t, g.Port)
	time.Sleep(10 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // none of which a dead connection should cost
	defer cancel()
	if _, err := s.Ping(ctx); err != nil {
		t.Errorf("ping 10 s after the connections died: %v", err)
	}
}

// The machine is gone: new connections to it get no answer, either.
func TestServerThatVanishesIsReplacedByTheWritableOne(t *testing.T) {
	if !servers.InNamespace(t) {
		return
	}
	old, promoted := newGroup(t, "fsync=off"), newGroup(t, "fsync=off")
	schema := newSchema()
	promoted.openURL(t, withSchema(t, promoted.URL(), schema))
	s := old.openURL(t, fmt.Sprintf(
		"postgres://cloakroom@127.0.0.1:%d,127.0.0.1:%d/postgres"+
			"?sslmode=disable&target_session_attrs=read-write&schema=%s",
		old.Port, promoted.Port, schema,
	))
	storetest.DeadConnections(t, s.Parts(), func() { servers.Swallow(t, old.Port) })
}
