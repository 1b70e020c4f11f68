package revocation

import (
	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/resilience"
)

// maxHeld is how many items are held in memory for one provider: all that one look at the outbox can lease.
const maxHeld = leaseBatch * maxLeases

// A bulkhead is what one provider's deliveries have to themselves, so that a slow one holds up its own alone.
type bulkhead struct {
	held     *semaphore.Weighted // one per item in memory
	underWay *semaphore.Weighted // one per delivery
}

func newBulkhead() *bulkhead {
	return &bulkhead{
		held:     semaphore.NewWeighted(maxHeld),
		underWay: semaphore.NewWeighted(int64(resilience.Revocations.Places())),
	}
}
