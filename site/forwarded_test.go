package site_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// PX10: of a list, the element of the outermost trusted proxy is used. A client can put elements
// before it, to pass for another host or another client; these are ignored.
func TestChainsAreReadFromTheTrustedEnd(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	app := sitetest.New(t, "https://app.example.com", site.Options{TrustedProxies: proxies})
	for name, tc := range map[string]struct{ peer, header, client, host, proto, list string }{
		"nobody trusted": {
			peer: "203.0.113.1:1", client: "203.0.113.1",
			header: "X-Forwarded-For: 1.2.3.4|X-Forwarded-Host: app|X-Forwarded-Proto: http|" +
				"Forwarded: for=1.2.3.4;host=app;proto=http",
		},
		"nothing said": {peer: "10.0.0.1:1", client: "10.0.0.1"},
		"no peer": {
			peer: "@", client: "invalid IP",
			header: "X-Forwarded-For: 1.2.3.4",
		},
		"one proxy": {
			peer: "10.0.0.1:1", client: "203.0.113.9", host: "app", proto: "https", list: "203.0.113.9",
			header: "X-Forwarded-For: 203.0.113.9|X-Forwarded-Host: app|X-Forwarded-Proto: https",
		},
		"a list of names, and no addresses": {
			peer: "10.0.0.1:1", client: "10.0.0.1", host: "app", proto: "https",
			header: "X-Forwarded-Host: app, edge.internal|X-Forwarded-Proto: https, http",
		},
		"two proxies that both add": {
			peer: "10.0.0.2:1",
			header: "X-Forwarded-For: 203.0.113.9, 10.0.0.1|X-Forwarded-Host: app, edge.internal|" +
				"X-Forwarded-Proto: https, http",
			client: "203.0.113.9", host: "app", proto: "https", list: "203.0.113.9, 10.0.0.1",
		},
		"two proxies, the second replaces": {
			peer: "10.0.0.2:1", client: "203.0.113.9", host: "app", list: "203.0.113.9, 10.0.0.1",
			header: "X-Forwarded-For: 203.0.113.9, 10.0.0.1|X-Forwarded-Host: app",
		},
		"in several lines": {
			peer: "10.0.0.2:1",
			header: "X-Forwarded-For: 203.0.113.9|X-Forwarded-For: 10.0.0.1|" +
				"X-Forwarded-Host: app|X-Forwarded-Host: edge.internal",
			client: "203.0.113.9", host: "app", list: "203.0.113.9, 10.0.0.1",
		},
		"a caller names the app": { // a page of a name that was rebound to the proxy may send that header
			peer: "10.0.0.1:1",
			header: "X-Forwarded-For: 203.0.113.9|X-Forwarded-Host: app, evil|" +
				"X-Forwarded-Proto: https, http",
			client: "203.0.113.9", host: "evil", proto: "http", list: "203.0.113.9",
		},
		"a caller makes hops up": {
			peer:   "10.0.0.1:1",
			header: "X-Forwarded-For: 10.0.0.7, 203.0.113.9|X-Forwarded-Host: app, evil",
			client: "203.0.113.9", host: "evil", list: "10.0.0.7, 203.0.113.9",
		},
		"a proxy that nobody trusts in front": {
			peer: "10.0.0.2:1",
			header: "X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.0.0.1|" +
				"X-Forwarded-Host: app, shop, edge.internal",
			client: "203.0.113.9", host: "shop", list: "1.2.3.4, 203.0.113.9, 10.0.0.1",
		},
		"with a port": {
			peer: "10.0.0.1:1", client: "203.0.113.9", list: "203.0.113.9:4711",
			header: "X-Forwarded-For: 203.0.113.9:4711",
		},
		"IPv6 with a port": {
			peer: "10.0.0.1:1", client: "2001:db8::1", list: "[2001:db8::1]:4711",
			header: "X-Forwarded-For: [2001:db8::1]:4711",
		},
		"IPv6 in brackets": {
			peer: "10.0.0.1:1", client: "2001:db8::1", list: "[2001:db8::1]",
			header: "X-Forwarded-For: [2001:db8::1]",
		},
		"IPv6": {
			peer: "[2001:db8:ffff::1]:1", client: "2001:db8::1", list: "2001:db8::1",
			header: "X-Forwarded-For: 2001:db8::1",
		},
		"IPv4 in IPv6": {
			peer: "[::ffff:10.0.0.1]:1", client: "203.0.113.9", list: "::ffff:203.0.113.9",
			header: "X-Forwarded-For: ::ffff:203.0.113.9",
		},
		"ports along the way": {
			peer: "10.0.0.2:1", client: "203.0.113.9", host: "app", list: "203.0.113.9:4711, 10.0.0.1:80",
			header: "X-Forwarded-For: 203.0.113.9:4711, 10.0.0.1:80|" +
				"X-Forwarded-Host: app, edge.internal",
		},
		"no address": {
			peer: "10.0.0.1:1", client: "10.0.0.1", list: "unknown",
			header: "X-Forwarded-For: unknown",
		},
		"no address, then one": {
			peer: "10.0.0.2:1", client: "10.0.0.1", list: "junk, 10.0.0.1",
			header: "X-Forwarded-For: junk, 10.0.0.1",
		},
		"empty elements": {
			peer: "10.0.0.1:1", client: "203.0.113.9", host: "app", list: ", 203.0.113.9 ,",
			header: "X-Forwarded-For: , 203.0.113.9 ,|X-Forwarded-Host: ,app,",
		},
		"Forwarded": {
			peer: "10.0.0.1:1", client: "203.0.113.9", host: "app", proto: "https", list: "203.0.113.9",
			header: "Forwarded: for=203.0.113.9;proto=https;host=app;by=10.0.0.1",
		},
		"Forwarded, quoted": {
			peer: "10.0.0.1:1", client: "2001:db8::1", host: "app:443", proto: "https", list: "2001:db8::1",
			header: `Forwarded: For="[2001:db8::1]:4711"; Host="app:443" ;PROTO=https`,
		},
		"Forwarded, two hops": {
			peer: "10.0.0.2:1", client: "203.0.113.9", host: "app", proto: "https", list: "203.0.113.9, 10.0.0.1",
			header: "Forwarded: for=203.0.113.9;host=app;proto=https, for=10.0.0.1;host=edge.internal;proto=http",
		},
		"Forwarded, two lines": {
			peer: "10.0.0.2:1", client: "203.0.113.9", host: "app", list: "203.0.113.9, 10.0.0.1",
			header: "Forwarded: for=203.0.113.9;host=app|" +
				"Forwarded: for=10.0.0.1;host=edge.internal",
		},
		"Forwarded, planted": {
			peer: "10.0.0.1:1", client: "203.0.113.9", host: "evil", list: "203.0.113.9",
			header: "Forwarded: for=10.0.0.7;host=app, for=203.0.113.9;host=evil",
		},
		"Forwarded, hidden": {
			peer: "10.0.0.1:1", client: "10.0.0.1", host: "app",
			header: "Forwarded: for=_secret;host=app",
		},
		"Forwarded, quotes": {
			peer: "10.0.0.1:1", client: "10.0.0.1",
			header: `Forwarded: for="203.0.113.9, for=1.2.3.4`,
		},
		"Forwarded, a comma": {
			peer: "10.0.0.1:1", client: "203.0.113.9", host: `a,b;c"d`, list: "203.0.113.9",
			header: `Forwarded: for=203.0.113.9;host="a,b;c\"d"`,
		},
		"Forwarded, twice": {
			peer: "10.0.0.1:1", client: "10.0.0.1",
			header: "Forwarded: for=203.0.113.9;for=1.2.3.4",
		},
		"Forwarded, no pair": {
			peer: "10.0.0.1:1", client: "10.0.0.1",
			header: "Forwarded: 203.0.113.9",
		},
		"Forwarded beside ours": {
			peer: "10.0.0.1:1", client: "203.0.113.9", list: "203.0.113.9",
			header: "X-Forwarded-For: 203.0.113.9|Forwarded: for=1.2.3.4;host=app",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{}}
			for line := range strings.SplitSeq(tc.header, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			c := app.Forwarded(r)
			if c.Client.String() != tc.client || c.Host != tc.host || c.Proto != tc.proto || c.For != tc.list {
				t.Errorf("client %s, host %q, proto %q, for %q; want %s, %q, %q, %q",
					c.Client, c.Host, c.Proto, c.For, tc.client, tc.host, tc.proto, tc.list)
			}
		})
	}
}
