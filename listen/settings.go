// Package listen owns the two listeners: their settings, and how long the service waits for callers who
// send nothing and read nothing. It knows nothing of what answers there.
//
// Its weak point is what the kernel reports: how much of an answer a caller has read is known over
// HTTP/1 by what its side has acknowledged, and for a stream of HTTP/2 by what it makes room for.
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

// Options are where the service listens and how long it is patient with callers.
type Options struct {
	Address         string // of the public listener
	Admin           string // of the admin listener; "": there is none
	ShutdownTimeout time.Duration
	DrainDelay      time.Duration // between failing readiness and taking no more connections
	// How long a caller may go on without a byte while its request's body is waited for, and while an
	// answer waits for it.
	RequestStallTimeout, ResponseStallTimeout time.Duration
}

// Defaults are Options of which the operator has said nothing.
func Defaults() Options {
	return Options{
		Address: ":8080", Admin: "127.0.0.1:9090", ShutdownTimeout: 20 * time.Second, DrainDelay: time.Second,
		RequestStallTimeout: time.Minute, ResponseStallTimeout: time.Minute,
	}
}

// Settings are the keys of the listeners.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "listen", Value: setting.Matching(&o.Address, checkAddress),
			Doc: "Where the public listener listens: `host:port`; without a host, on all addresses. It " +
				"speaks HTTP/1.1 and HTTP/2 without TLS: TLS ends at the load balancer in front",
			Example: []string{"\":8080\""},
		},
		{
			Name: "admin_listen", Value: setting.Matching(&o.Admin, checkAdminAddress).OrEmpty(),
			Doc: "Where health, metrics, admin API and console listen. Never the port of `listen`. Empty " +
				"(`\"\"`): there is no such listener",
			Example: []string{"127.0.0.1:9090"},
		},
		{
			Name: "shutdown_timeout", Value: setting.PositiveDuration(&o.ShutdownTimeout),
			Doc:     "How long requests under way may still take after SIGTERM; more than 0",
			Example: []string{"20s"},
		},
		{
			Name: "drain_delay", Value: setting.NonNegativeDuration(&o.DrainDelay),
			Doc: "How long the service goes on as before, after SIGTERM has made `/readyz` fail, so that a " +
				"load balancer can notice; `0`: not at all. Make it longer than the balancer takes",
			Example: []string{"1s"},
		},
		{
			Name: "request_stall_timeout", Value: setting.PositiveDuration(&o.RequestStallTimeout),
			Doc: "How long a caller may send nothing while the rest of its request's body is waited for. " +
				"Then it gets 408 `request_timeout`, over HTTP/1.1 on a connection that closes. It does " +
				"not count while an API does not take what has come, nor once an answer has begun: a " +
				"request that is still open then is half of a two-way stream. More than 0",
			Example: []string{"60s"},
		},
		{
			Name: "response_stall_timeout", Value: setting.PositiveDuration(&o.ResponseStallTimeout),
			Doc: "How long a caller may read nothing while bytes of an answer wait for it; then the " +
				"connection, or the HTTP/2 stream, is cut. It does not count while the API has nothing to " +
				"send: long polls and silent event streams live. It holds for WebSockets too, towards the " +
				"browser, and for `/bff/events`, which waits 30 s at most. More than 0",
			Example: []string{"60s"},
		},
	}
}

// Check compares the listeners.
func (o *Options) Check(c setting.Check) {
	if o.Admin == "" || !c.Valid("admin_listen") || !c.Valid("listen") {
		return
	}
	host, port, _ := net.SplitHostPort(o.Address) // checkAddress has read it
	if listensOn(o.Admin, host, port) {
		key := "admin_listen"
		if !c.Given(key) {
			key = "listen"
		}
		c.Report(key, "can't be served: server.listen and server.admin_listen are the same port", "give them a port each: metrics and the admin API must never answer where browsers come")
	}
}

// Loop returns what is wrong with an address that requests are passed on to: it may not lead back into
// this service, to the admin listener, which must not be reachable through a route (LG9), or round in
// a circle. Public is where browsers find this service, nil if that is not known.
func (o *Options) Loop(c setting.Check, public *url.URL) func(*url.URL) *setting.Fault {
	return func(u *url.URL) *setting.Fault {
		port := u.Port()
		if port == "" {
			port = setting.DefaultPort(u.Scheme)
		}
		switch {
		case o.Admin != "" && c.Valid("admin_listen") && listensOn(o.Admin, u.Hostname(), port):
			return setting.NewFault("leads to server.admin_listen", "name the API's own address: the admin listener must not be reachable from a browser")
		case c.Valid("listen") && listensOn(o.Address, u.Hostname(), port),
			public != nil && u.Scheme == public.Scheme && u.Host == public.Host:
			return setting.NewFault("leads back to cloakroom itself", "name the API's own address, not the one that browsers see")
		}
		return nil
	}
}

// listensOn reports whether whoever dials host:port reaches a listener at address. Port 0 is any free
// one, which can't be known here.
func listensOn(address, host, port string) bool {
	at, atPort, _ := net.SplitHostPort(address) // checkAddress has read it
	if n, err := strconv.Atoi(port); err != nil || n == 0 || strings.TrimLeft(port, "0") != strings.TrimLeft(atPort, "0") {
		return false
	}
	if strings.EqualFold(at, host) || isWildcard(at) && isWildcard(host) {
		return true
	}
	switch {
	case isWildcard(at):
		return site.IsLoopback(host)
	case isWildcard(host):
		return true // as an upstream it is this machine; as a listener it takes every address
	}
	a, errA := netip.ParseAddr(at)
	b, errB := netip.ParseAddr(host)
	if errA == nil && errB == nil {
		return a.Unmap() == b.Unmap()
	}
	return site.IsLoopback(at) && site.IsLoopback(host) // localhost is 127.0.0.1 or ::1
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Unmap().IsUnspecified()
}

// checkAddress takes what net.Listen does, with a port that is a number.
func checkAddress(s string) *setting.Fault {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return setting.NewFault("is not an address to listen on", `write host:port, such as 127.0.0.1:8080, or ":8080" for all of this machine`)
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || setting.IsHostName(host) {
		return nil
	}
	return setting.NewFault("has a host that is neither a name nor an address", "leave it out to listen on all of this machine's addresses")
}

// checkAdminAddress also takes nothing: no admin listener.
func checkAdminAddress(s string) *setting.Fault {
	if s == "" {
		return nil
	}
	return checkAddress(s)
}
