package memory_test

import (
	"testing"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/storetest"
)

func TestMemoryStoreBehavesAsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return memory.New().Parts() })
}
