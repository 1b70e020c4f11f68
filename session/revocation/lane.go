package revocation

import "context"

const (
	laneWidth = 8                      // revocations at one provider at once
	laneQueue = leaseBatch * maxLeases // items held in memory for one provider: all that one look at the outbox can lease
)

// A lane is what one provider's deliveries move in, so that a slow one holds up its own alone.
type lane struct {
	places  chan struct{} // one taken per item held
	windows chan struct{} // one taken per delivery under way
}

func newLane() *lane {
	return &lane{places: make(chan struct{}, laneQueue), windows: make(chan struct{}, laneWidth)}
}

// enter takes a place, if there is one.
func (l *lane) enter() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *lane) leave() { <-l.places }

// begin waits for a turn; false when ctx ended first.
func (l *lane) begin(ctx context.Context) bool {
	select {
	case l.windows <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lane) end() { <-l.windows }
