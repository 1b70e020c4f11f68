package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// parseURL reads an absolute http or https URL without a user, query or fragment, host in lower case
// and without its default port.
func parseURL(s, example string) (*url.URL, *wrong) {
	u, err := url.Parse(s)
	right := "write something like " + example
	switch {
	case err != nil || u.Opaque != "" && !strings.Contains(s, "://"):
		return nil, &wrong{"is not a URL", right}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &wrong{"is not an http or https URL", right}
	case u.Hostname() == "":
		return nil, &wrong{"has no host", right}
	case u.User != nil:
		return nil, &wrong{"holds a user name or password", "take out what stands before the @"}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, &wrong{"has a query or fragment", "take out what begins with ? or #"}
	}
	if w := checkHost(u); w != nil {
		return nil, w
	}
	u.Host = strings.ToLower(u.Host)
	if u.Port() == defaultPort(u.Scheme) {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)

func checkHost(u *url.URL) *wrong {
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return &wrong{"has no port between 1 and 65535", "correct the number behind the colon"}
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.Zone() == "" {
		return nil
	}
	if host := u.Hostname(); !hostName.MatchString(host) || len(host) > 253 {
		return &wrong{"has a host that is neither a name nor an address", "write a name in its ASCII form (xn--… for others), without a dot at its end"}
	}
	return nil
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// isLoopback reports whether a host can be none but this machine: RFC 6761 §6.3 for the name, and
// 127.0.0.0/8 or ::1.
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// origin takes the public URL: https, or http on this machine (MD4).
func origin(into **url.URL) scalar {
	return scalar{parse: func(s string) *wrong {
		u, w := parseURL(s, "https://app.example.com")
		switch {
		case w != nil:
			return w
		case u.Path != "" && u.Path != "/":
			return &wrong{"has a path", "write scheme and host alone: the app is served at the root of its origin"}
		case u.Scheme == "http" && !isLoopback(u.Hostname()):
			return &wrong{"is http, and its host is not this machine", "write https: on http anybody on the way takes over the session. Only localhost, 127.0.0.0/8 and [::1] may be http"}
		}
		u.Path = ""
		*into = u
		return nil
	}}
}

// issuer takes an issuer identifier. It is kept as it is written: it is compared as a string (OIDC
// Discovery §4.3).
func issuer(into *string) scalar {
	return matching(into, func(s string) *wrong {
		u, w := parseURL(s, "https://id.example.com")
		switch {
		case w != nil:
			return w
		case u.Scheme == "http" && !isLoopback(u.Hostname()):
			return &wrong{"is http, and its host is not this machine", "write https (OIDC Core §2); only a provider on localhost, 127.0.0.0/8 or [::1] may be http"}
		case strings.Contains(s, "/.well-known/"):
			return &wrong{"is the address of the metadata, not the issuer", "write what the metadata says under \"issuer\"; its address goes into metadata_url, if it is not the issuer and /.well-known/openid-configuration"}
		case isTemplate(s):
			return checkIssuerTemplate(s, u)
		}
		return nil
	})
}

// upstream takes where a route leads to.
func upstream(into **url.URL) scalar {
	return scalar{parse: func(s string) *wrong {
		u, w := parseURL(s, "http://127.0.0.1:9000")
		if w == nil && ambiguousPath(u.EscapedPath()) {
			w = &wrong{"has a path that can be read in two ways", "write it without dot segments, double or encoded slashes, and ;"}
		}
		*into = u
		return w
	}}
}

// devServer takes where the app's development server listens.
func devServer(into **url.URL) scalar {
	return scalar{parse: func(s string) *wrong {
		u, w := parseURL(s, "http://localhost:5173")
		if w == nil && u.Path != "" && u.Path != "/" {
			w = &wrong{"has a path", "write scheme and host alone: paths are passed on as they come"}
		}
		*into = u
		return w
	}}
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

var routePath = regexp.MustCompile(`^/[A-Za-z0-9/._~!$&'()+,=:@-]*$`)

func checkRoutePath(s string) *wrong {
	switch {
	case !strings.HasPrefix(s, "/"):
		return &wrong{"does not begin with a slash", "write the prefix of the paths, such as /api/"}
	case !routePath.MatchString(s) || ambiguousPath(s):
		return &wrong{"is no plain path", "write it without dot segments, double slashes, *, ;, ?, # and %; it matches everything below it by itself"}
	}
	return nil
}

var basePathForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

func checkBasePath(s string) *wrong {
	if !basePathForm.MatchString(s) || ambiguousPath(s) || len(s) > 200 {
		return &wrong{"is not a path of letters, digits, -, _ and ~", "write something like /bff, with a slash before it and none behind"}
	}
	return nil
}

// checkAddress takes what net.Listen does, with a port that is a number.
func checkAddress(s string) *wrong {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return &wrong{"is not an address to listen on", `write host:port, such as 127.0.0.1:8080, or ":8080" for all of this machine`}
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || hostName.MatchString(host) {
		return nil
	}
	return &wrong{"has a host that is neither a name nor an address", "leave it out to listen on all of this machine's addresses"}
}

// checkAdminAddress also takes nothing: no admin listener.
func checkAdminAddress(s string) *wrong {
	if s == "" {
		return nil
	}
	return checkAddress(s)
}

// network takes a CIDR or a single address.
func network(into *netip.Prefix) scalar {
	return scalar{parse: func(s string) *wrong {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			*into = netip.PrefixFrom(addr, addr.BitLen())
			return nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return &wrong{"is neither a network nor an address", "write something like 10.0.0.0/8, 192.0.2.7 or fd00::/8; names are not looked up"}
		}
		*into = p.Masked()
		return nil
	}}
}
