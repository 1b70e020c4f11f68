package postgres

import (
	"context"
	"net"
	"time"

	"github.com/cloakroom/cloakroom/outbound"
)

// farewellTime is how long a connection that is given up may take to end.
const farewellTime = time.Second

// dial makes a connection that is found out when it is dead. It is for requests to cancel a query, too, which pgx makes to
// the address that the query went to, dead or not.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := outbound.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return hasty{conn}, nil
}

// A hasty connection takes no deadline that is further away than farewellTime. pgx sets deadlines when it gives a
// connection up, which then has 15 s to say good-bye and holds its place in the pool until it has: when all connections of
// the pool are dead, nobody could be answered for so long.
type hasty struct{ net.Conn }

// SetDeadline implements net.Conn.
func (c hasty) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(farewellTime); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}
