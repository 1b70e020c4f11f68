package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// TestClientsAreToldApartByNetwork: the network is an IPv4 address, or 64 bits of an IPv6 address.
// Clients behind a proxy that is not trusted, or that names no client, are not told apart.
func TestClientsAreToldApartByNetwork(t *testing.T) {
	var log bytes.Buffer
	c := &clients{
		site: sitetest.New(t, "https://app.example.com", site.Options{
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		}),
		log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	for _, test := range []struct{ peer, name, value, want string }{
		{"192.0.2.1:1", "", "", "192.0.2.1/32"},
		{"[::ffff:192.0.2.1]:1", "", "", "192.0.2.1/32"},
		{"[2001:db8:1:2:3::4]:1", "", "", "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:1", "", "", "fe80::/64"},
		{"10.1.1.1:1", "X-Forwarded-For", "192.0.2.7", "192.0.2.7/32"},
		{"10.1.1.1:1", "X-Forwarded-For", "203.0.113.1, 192.0.2.7, 10.1.1.2", "192.0.2.7/32"},
		{"10.1.1.1:1", "", "", ""},
		{"10.1.1.1:1", "X-Forwarded-For", "garbage", ""},
		{"10.1.1.1:1", "X-Forwarded-For", "10.1.1.3", ""},
		{"", "", "", ""},
		{"192.0.2.1:1", "X-Forwarded-For", "192.0.2.7", ""},
		{"192.0.2.1:1", "Forwarded", "for=192.0.2.7", ""},
		{"192.0.2.1:1", "X-Real-Ip", "192.0.2.7", ""},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		if test.name != "" {
			r.Header.Set(test.name, test.value)
		}
		if got := c.network(r); got != test.want {
			t.Errorf("peer %q, %s %q: client = %q, want %q", test.peer, test.name, test.value, got, test.want)
		}
	}
	if n := strings.Count(log.String(), "server.trusted_proxies"); n != 1 {
		t.Errorf("three requests through a proxy that is not trusted gave %d warnings, want 1:\n%s", n, &log)
	}
}
