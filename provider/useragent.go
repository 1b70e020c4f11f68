package provider

import (
	"runtime/debug"
	"strings"
)

const (
	product = "cloakroom"
	module  = "github.com/cloakroom/cloakroom"
)

// userAgent returns the value of User-Agent: cloakroom/VERSION (RFC 9110 §10.1.5).
func userAgent(version string) string {
	if version == "" {
		version = builtVersion()
	}
	version = strings.Map(func(r rune) rune {
		digit, letter := '0' <= r && r <= '9', 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if digit || letter || strings.ContainsRune("+.-_", r) {
			return r
		}
		return -1 // parentheses, as in "(devel)", would make it a comment
	}, version)
	if version == "" {
		version = "devel"
	}
	return product + "/" + version
}

// builtVersion returns the version of this module in the running program; "" if it is not known.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}
