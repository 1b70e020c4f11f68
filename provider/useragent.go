package provider

import (
	"runtime/debug"
	"strings"
)

const (
	product = "cloakroom"
	module  = "github.com/cloakroom/cloakroom"
)

// userAgent is what providers are told of us: cloakroom/VERSION (RFC 9110 §10.1.5).
func userAgent(version string) string {
	if version == "" {
		version = builtVersion()
	}
	version = strings.Map(func(r rune) rune {
		if strings.ContainsRune("+.-_", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1 // "(devel)" would be a comment
	}, version)
	if version == "" {
		version = "devel"
	}
	return product + "/" + version
}

// builtVersion is the module's version as the program was built with it, "" where that is not known.
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
