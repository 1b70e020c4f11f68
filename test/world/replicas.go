package world

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/servers"
)

// Local returns an address of a replica that is not its public origin.
func Local(port int) string { return fmt.Sprintf("http://localhost:%d", port) }

// A Duo is two replicas over one store. Browsers log in at Here.
type Duo struct {
	*World
	Here, There *server.Server
	Other       string // origin of the second one, which nobody but tests would use
}

// NewKey returns a key in the format of session.keys.
func NewKey() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// NewDuo runs two replicas over a store until the test ends; sessionYAML is as for New.
func NewDuo(t *testing.T, store, sessionYAML string) *Duo {
	t.Helper()
	p := &Duo{World: NewStage(t)}
	sessionYAML = fmt.Sprintf("  keys: [%q]\n%s", NewKey(), sessionYAML)
	p.Here = p.Start(p.Port, store, sessionYAML)
	port := servers.FreePort(t)
	p.Other = fmt.Sprintf("http://localhost:%d", port)
	p.There = p.Start(port, store, sessionYAML)
	return p
}
