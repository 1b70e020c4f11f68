package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
)

// origin takes the public URL: https, or http on this machine (MD4).
func origin(s string) (*url.URL, *setting.Fault) {
	u, w := setting.ParseURL(s, "https://app.example.com")
	switch {
	case w != nil:
		return nil, w
	case u.Path != "" && u.Path != "/":
		return nil, setting.Wrong("has a path", "write scheme and host alone: the app is served at the root of its origin")
	case u.Scheme == "http" && !site.IsLoopback(u.Hostname()):
		return nil, setting.Wrong("is http, and its host is not this machine", "write https: on http anybody on the way takes over the session. Only localhost, 127.0.0.0/8 and [::1] may be http")
	}
	u.Path = ""
	return u, nil
}

// devServer takes where the app's development server listens.
func devServer(s string) (*url.URL, *setting.Fault) {
	u, w := setting.ParseURL(s, "http://localhost:5173")
	if w == nil && u.Path != "" && u.Path != "/" {
		w = setting.Wrong("has a path", "write scheme and host alone: paths are passed on as they come")
	}
	return u, w
}

// ambiguousPath reports whether what a path means depends on who reads it (PX4).
func ambiguousPath(path string) bool {
	if strings.ContainsAny(path, "%\\;") || strings.Contains(path, "//") {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var basePathForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

func checkBasePath(s string) *setting.Fault {
	if !basePathForm.MatchString(s) || ambiguousPath(s) || len(s) > 200 {
		return setting.Wrong("is not a path of letters, digits, -, _ and ~", "write something like /bff, with a slash before it and none behind")
	}
	return nil
}

// checkAddress takes what net.Listen does, with a port that is a number.
func checkAddress(s string) *setting.Fault {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return setting.Wrong("is not an address to listen on", `write host:port, such as 127.0.0.1:8080, or ":8080" for all of this machine`)
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || setting.IsHostName(host) {
		return nil
	}
	return setting.Wrong("has a host that is neither a name nor an address", "leave it out to listen on all of this machine's addresses")
}

// checkAdminAddress also takes nothing: no admin listener.
func checkAdminAddress(s string) *setting.Fault {
	if s == "" {
		return nil
	}
	return checkAddress(s)
}

// network takes a CIDR or a single address.
func network(s string) (netip.Prefix, *setting.Fault) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, setting.Wrong("is neither a network nor an address", "write something like 10.0.0.0/8, 192.0.2.7 or fd00::/8; names are not looked up")
	}
	return p.Masked(), nil
}
