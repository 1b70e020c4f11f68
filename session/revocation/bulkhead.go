package revocation

import (
	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/resilience"
)

// maxHeld is how many items of one provider are held in memory: as many as one poll of the outbox
// can lease.
const maxHeld = leaseBatch * maxLeases

// A bulkhead limits the deliveries of one provider, so that a slow provider delays only its own.
type bulkhead struct {
	held    *semaphore.Weighted // one unit for each item in memory
	running *semaphore.Weighted // one unit for each delivery
}

func newBulkhead() *bulkhead {
	return &bulkhead{
		held:    semaphore.NewWeighted(maxHeld),
		running: semaphore.NewWeighted(int64(resilience.Revocations.Places())),
	}
}
