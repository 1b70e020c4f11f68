package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/cloakroom/cloakroom/outbound"
)

// dial makes a connection to a server or a Sentinel that detects when its peer is gone. rueidis
// pings the connections on which it waits for answers, but not the one over which a Sentinel
// announces a new primary: that one may be silent for months.
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
			err = fmt.Errorf("read the address %q: %w", address, err)
			return nil, errors.Join(err, conn.Close())
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
