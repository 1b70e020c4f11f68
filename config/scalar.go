package config

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/setting"
)

func checkCookieName(s string) *setting.Fault {
	switch {
	case !setting.IsToken(s):
		return setting.Wrong(fmt.Sprintf("is not made of letters, digits, - and _ alone, %d at most", setting.MaxName), "write something like cloakroom (RFC 6265 §4.1.1)")
	case strings.HasPrefix(s, "__") || strings.HasPrefix(s, "$"):
		return setting.Wrong("begins with __ or $, which browsers and servers read a meaning into", "leave the prefix out: on https, __Host-Http- is put in front")
	}
	return nil
}

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
