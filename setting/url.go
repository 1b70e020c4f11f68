package setting

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ParseURL parses an absolute http or https URL that has no user, query or fragment. It returns the
// host in lower case and without the scheme's default port. The example is for the remedy.
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

// IsHostName reports whether name is a DNS name in its ASCII form.
func IsHostName(name string) bool { return hostName.MatchString(name) && len(name) <= 253 }

// IsPlainPath reports whether every server reads a path in the same way (PX4): nothing in it is
// percent-encoded, no segment is "." or "..", no segment but the last is empty, and none has
// parameters. Paths in the configuration must be plain.
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
		const remedy = "write a name in its ASCII form (xn--… for others), without a dot at its end"
		return NewFault("has a host that is neither a name nor an address", remedy)
	}
	return nil
}

// DefaultPort returns the port of an http or https URL that names none.
func DefaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// URLText formats a URL, or returns "" for nil.
func URLText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}
