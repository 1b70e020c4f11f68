package config

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/setting"
)

var providerID = regexp.MustCompile(`^[a-z0-9-]+$`)

func checkProviderID(s string) *setting.Fault {
	if !providerID.MatchString(s) || len(s) > setting.MaxName {
		return setting.Wrong(fmt.Sprintf("is not made of a–z, 0–9 and - alone, %d at most", setting.MaxName), "write something like main: it becomes part of the redirect URI")
	}
	return nil
}

func checkCookieName(s string) *setting.Fault {
	switch {
	case !setting.IsToken(s):
		return setting.Wrong(fmt.Sprintf("is not made of letters, digits, - and _ alone, %d at most", setting.MaxName), "write something like cloakroom (RFC 6265 §4.1.1)")
	case strings.HasPrefix(s, "__") || strings.HasPrefix(s, "$"):
		return setting.Wrong("begins with __ or $, which browsers and servers read a meaning into", "leave the prefix out: on https, __Host-Http- is put in front")
	}
	return nil
}

func checkMethod(s string) *setting.Fault {
	upper := strings.ToUpper(s)
	switch {
	case !setting.IsToken(s):
		return setting.Wrong("is not an HTTP method", "write names such as GET or POST")
	case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
		return setting.Wrong("can't be "+upper, "take it out: such requests are always refused (RFC 9110 §9.3.6, §9.3.8)")
	case s != upper && slices.Contains(allMethods(), upper):
		return setting.Wrong("is not in capitals", "write "+upper+": names of methods are case-sensitive (RFC 9110 §9.1)")
	}
	return nil
}

// allMethods are the methods that people misspell.
func allMethods() []string { return append(defaultMethods(), "OPTIONS") }

func checkKey(s string) *setting.Fault {
	if _, err := keys.Parse(s); err != nil {
		return setting.Wrong("is no key: "+err.Error(), "print one with: cloakroom keygen")
	}
	return nil
}

// checkCSP bounds what goes into a header as it is.
func checkCSP(s string) *setting.Fault {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return setting.Wrong("holds a character that a header can't", "write ASCII; fold several lines with >-")
	}
	return nil
}

func logLevel(into *slog.Level) setting.Scalar {
	return setting.Meaning(into, []string{"debug", "info", "warn", "error"}, []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError})
}

func sameSite(into *http.SameSite) setting.Scalar {
	s := setting.Meaning(into, []string{"strict", "lax"}, []http.SameSite{http.SameSiteStrictMode, http.SameSiteLaxMode})
	set := s.Set
	s.Set = func(text string) *setting.Fault {
		if text == "none" {
			return setting.Wrong("can't be none", "write strict or lax: with none, any site could make a browser use the session")
		}
		return set(text)
	}
	return s
}
