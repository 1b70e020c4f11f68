// Package listen owns the two listeners: their settings, and the timeouts for clients that send or
// read nothing. It does not know the handlers behind them.
//
// Its weak point: it does not know how much of a response a client has read. Over HTTP/1 it knows
// only how much TCP has acknowledged, and on a stream of HTTP/2 how far the flow-control window has
// moved.
package listen

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// Options are the addresses and timeouts of the listeners.
type Options struct {
	Address         string        // of the public listener
	Admin           string        // of the admin listener; "" for none
	ShutdownTimeout time.Duration // for the requests in progress at a shutdown
	DrainDelay      time.Duration // from the failing readiness check to the last accepted connection
	// RequestStallTimeout is how long a client may send nothing of the request body that the
	// service waits for; ResponseStallTimeout is how long it may read nothing of a response that
	// waits for it.
	RequestStallTimeout, ResponseStallTimeout time.Duration
}

// Defaults returns the default Options.
func Defaults() Options {
	return Options{
		Address:              ":8080",
		Admin:                "127.0.0.1:9090",
		ShutdownTimeout:      20 * time.Second,
		DrainDelay:           time.Second,
		RequestStallTimeout:  time.Minute,
		ResponseStallTimeout: time.Minute,
	}
}

// Settings returns the keys of the listeners.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "listen", Value: setting.Matching(&o.Address, checkAddress),
			Doc: "The address of the public listener, `host:port`; without a host, all " +
				"addresses. It speaks HTTP/1.1 and HTTP/2 without TLS; the load balancer in " +
				"front terminates TLS",
			Example: []string{"\":8080\""},
		},
		{
			Name: "admin_listen", Value: setting.Matching(&o.Admin, checkAdminAddress).OrEmpty(),
			Doc: "The address of the listener for health checks, metrics, the admin API and the " +
				"console. It must have another port than `listen`. Empty (`\"\"`) for no such " +
				"listener",
			Example: []string{"127.0.0.1:9090"},
		},
		{
			Name: "shutdown_timeout", Value: setting.PositiveDuration(&o.ShutdownTimeout),
			Doc:     "How long requests in progress may still take after SIGTERM; more than 0",
			Example: []string{"20s"},
		},
		{
			Name: "drain_delay", Value: setting.NonNegativeDuration(&o.DrainDelay),
			Doc: "How long the service still accepts connections after SIGTERM. `/readyz` fails " +
				"during that time, so that a load balancer can notice. `0` for no delay. Make it " +
				"longer than the load balancer needs",
			Example: []string{"1s"},
		},
		{
			Name: "request_stall_timeout", Value: setting.PositiveDuration(&o.RequestStallTimeout),
			Doc: "How long a client may send nothing while the service waits for the rest of its " +
				"request body. After that the answer is 408 `request_timeout`, and an HTTP/1.1 " +
				"connection is closed. The time does not count while the API does not read what " +
				"has arrived, nor after the response has begun: then the request is one half of " +
				"a two-way stream. More than 0",
			Example: []string{"60s"},
		},
		{
			Name: "response_stall_timeout", Value: setting.PositiveDuration(&o.ResponseStallTimeout),
			Doc: "How long a client may read nothing while a part of the response waits for it. " +
				"After that the connection, or the HTTP/2 stream, is closed. The time does not " +
				"count while the API has nothing to send, so long polls and silent event streams " +
				"stay open. It also applies to what a WebSocket sends to the browser, and to " +
				"`/bff/events`, which waits at most 30 s. More than 0",
			Example: []string{"60s"},
		},
	}
}

// Check compares the listeners.
func (o *Options) Check(c setting.Check) {
	if o.Admin == "" || !c.Valid("admin_listen") || !c.Valid("listen") {
		return
	}
	host, port, _ := net.SplitHostPort(o.Address) // can't fail after checkAddress
	if listensOn(o.Admin, host, port) {
		key := "admin_listen"
		if !c.Given(key) {
			key = "listen"
		}
		c.Report(key, "can't be served: server.listen and server.admin_listen are the same port",
			"give each its own port: browsers must never reach metrics and the admin API")
	}
}

// UpstreamCheck returns a function that checks the address of an upstream. It must not be a
// listener of this service, because then a route would reach the admin listener (LG9) or lead in a
// circle. The parameter public is the public origin of this service, or nil if that is not known.
func (o *Options) UpstreamCheck(c setting.Check, public *url.URL) func(*url.URL) *setting.Fault {
	return func(u *url.URL) *setting.Fault {
		port := u.Port()
		if port == "" {
			port = setting.DefaultPort(u.Scheme)
		}
		switch {
		case o.Admin != "" && c.Valid("admin_listen") && listensOn(o.Admin, u.Hostname(), port):
			return setting.NewFault("leads to server.admin_listen",
				"name the API's own address: the admin listener must not be reachable from a browser")
		case c.Valid("listen") && listensOn(o.Address, u.Hostname(), port),
			public != nil && u.Scheme == public.Scheme && u.Host == public.Host:
			return setting.NewFault("leads back to cloakroom itself",
				"name the API's own address, not the one that browsers see")
		}
		return nil
	}
}

// listensOn reports whether a connection to host:port reaches a listener at address. It is false
// for port 0, because the listener then has any free port.
func listensOn(address, host, port string) bool {
	at, atPort, _ := net.SplitHostPort(address) // can't fail after checkAddress
	if !samePort(port, atPort) {
		return false
	}
	if strings.EqualFold(at, host) || isWildcard(at) && isWildcard(host) {
		return true
	}
	switch {
	case isWildcard(at):
		return site.IsLoopback(host)
	case isWildcard(host):
		return true // an upstream 0.0.0.0 is this machine; a listener on it has every address
	}
	a, errA := netip.ParseAddr(at)
	b, errB := netip.ParseAddr(host)
	if errA == nil && errB == nil {
		return a.Unmap() == b.Unmap()
	}
	return site.IsLoopback(at) && site.IsLoopback(host) // localhost is 127.0.0.1 or ::1
}

// samePort compares the numbers of two ports; 0 is the same as none.
func samePort(a, b string) bool {
	n, err := strconv.Atoi(a)
	return err == nil && n != 0 && strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0")
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Unmap().IsUnspecified()
}

// checkAddress accepts the addresses of net.Listen whose port is a number.
func checkAddress(s string) *setting.Fault {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return setting.NewFault("is not an address to listen on",
			`write host:port, such as 127.0.0.1:8080, or ":8080" for all addresses of this machine`)
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || setting.IsHostName(host) {
		return nil
	}
	return setting.NewFault("has a host that is neither a name nor an address",
		"leave it out to listen on all addresses of this machine")
}

// checkAdminAddress also accepts "", for no admin listener.
func checkAdminAddress(s string) *setting.Fault {
	if s == "" {
		return nil
	}
	return checkAddress(s)
}
