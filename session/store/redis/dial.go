package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/cloakroom/cloakroom/outbound"
)

// dial makes a connection, to a server or a Sentinel, that is found out when it is dead. rueidis pings those that it
// waits for answers on; the one over which a Sentinel tells of a new primary says nothing for months.
func dial(ctx context.Context, address string, _ *net.Dialer, conf *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := outbound.DialContext(ctx, "tcp", address)
	if err != nil || conf == nil {
		return conn, err
	}
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read the address %q: %w", address, err), conn.Close())
		}
		conf = conf.Clone()
		conf.ServerName = host
	}
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}
