package setting

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ParseURL reads an absolute http or https URL without a user, query or fragment, host in lower case
// and without its default port.
func ParseURL(s, example string) (*url.URL, *Fault) {
	u, err := url.Parse(s)
	remedy := "write something like " + example
	switch {
	case err != nil || u.Opaque != "" && !strings.Contains(s, "://"):
		return nil, &Fault{"is not a URL", remedy}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &Fault{"is not an http or https URL", remedy}
	case u.Hostname() == "":
		return nil, &Fault{"has no host", remedy}
	case u.User != nil:
		return nil, NewFault("holds a user name or password", "take out what stands before the @")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, NewFault("has a query or fragment", "take out what begins with ? or #")
	}
	if f := checkHost(u); f != nil {
		return nil, f
	}
	u.Host = strings.ToLower(u.Host)
	if u.Port() == DefaultPort(u.Scheme) {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)

// IsHostName reports whether a name is one of the DNS in its ASCII form.
func IsHostName(name string) bool { return hostName.MatchString(name) && len(name) <= 253 }

// IsPlainPath reports whether a path that an operator writes means the same to whoever reads it (PX4):
// nothing in it is encoded, no segment is "." or "..", none but the last is empty, and none has
// parameters.
func IsPlainPath(path string) bool {
	if strings.ContainsAny(path, "%\\;") || strings.Contains(path, "//") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func checkHost(u *url.URL) *Fault {
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return NewFault("has no port between 1 and 65535", "correct the number behind the colon")
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.Zone() == "" {
		return nil
	}
	if !IsHostName(u.Hostname()) {
		return NewFault("has a host that is neither a name nor an address", "write a name in its ASCII form (xn--… for others), without a dot at its end")
	}
	return nil
}

// DefaultPort is the port of http or https where a URL names none.
func DefaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// URLText is a URL as the file writes it, "" for nil.
func URLText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}
