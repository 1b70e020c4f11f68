package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cloakroom/cloakroom/secret"
)

// anyText takes a text as it is.
func anyText(into *string) scalar {
	return scalar{parse: func(s string) *wrong { *into = s; return nil }}
}

// orNone takes a text that may be empty.
func orNone(s scalar) scalar {
	s.empty = true
	return s
}

// matching takes a text that check finds nothing wrong with.
func matching(into *string, check func(string) *wrong) scalar {
	return scalar{parse: func(s string) *wrong {
		*into = s
		return check(s)
	}}
}

// hidden takes a secret that check finds nothing wrong with.
func hidden(into *secret.Value, check func(string) *wrong) scalar {
	return scalar{secret: true, parse: func(s string) *wrong {
		*into = secret.New(s)
		return check(s)
	}}
}

func anything(string) *wrong { return nil }

// oneOf takes one of a few words.
func oneOf(into *string, words ...string) scalar {
	return matching(into, func(s string) *wrong { return unlisted(s, words) })
}

// unlisted says what is wrong with a word that is none of those, and which of them is near.
func unlisted(s string, words []string) *wrong {
	if slices.Contains(words, s) {
		return nil
	}
	w := &wrong{"is none of " + strings.Join(words, ", "), "write one of them"}
	if near := nearest(s, words); near != "" {
		w.right = "did you mean " + near + "?"
	}
	return w
}

// levels and sameSites are never written to.
var (
	levels    = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	sameSites = map[string]http.SameSite{"strict": http.SameSiteStrictMode, "lax": http.SameSiteLaxMode}
)

func logLevel(into *slog.Level) scalar {
	return scalar{parse: func(s string) *wrong {
		*into = levels[s]
		return unlisted(s, []string{"debug", "info", "warn", "error"})
	}}
}

func sameSite(into *http.SameSite) scalar {
	return scalar{parse: func(s string) *wrong {
		*into = sameSites[s]
		if s == "none" {
			return &wrong{"can't be none", "write strict or lax: with none, any site could make a browser use the session"}
		}
		return unlisted(s, []string{"strict", "lax"})
	}}
}

func boolean(into *bool) scalar {
	return scalar{parse: func(s string) *wrong {
		*into = s == "true"
		if s != "true" && s != "false" {
			return &wrong{"is neither true nor false", "write true or false"}
		}
		return nil
	}}
}

// maxDuration is as long as browsers keep any cookie (draft-ietf-httpbis-rfc6265bis §5.5).
const maxDuration = 400 * 24 * time.Hour

// positive takes a duration above zero; orZero one that may be zero.
func positive(into *time.Duration) scalar { return duration(into, 1) }

func orZero(into *time.Duration) scalar { return duration(into, 0) }

var bareNumber = regexp.MustCompile(`^[0-9]+$`)

func duration(into *time.Duration, least time.Duration) scalar {
	return scalar{parse: func(s string) *wrong {
		d, err := time.ParseDuration(s)
		*into = d
		const form = "write a number with its unit: 500ms, 30s, 15m or 12h"
		switch {
		case err != nil && bareNumber.MatchString(s):
			return &wrong{"is a number without a unit", form}
		case err != nil:
			return &wrong{"is not a duration", form}
		case d < 0:
			return &wrong{"is negative", form}
		case d < least:
			return &wrong{"must be more than 0", form}
		case d > maxDuration:
			return &wrong{"is longer than 400 days", "write at most 9600h"}
		}
		return nil
	}}
}

var sizeForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?([KMGT]iB|B)?$`)

// size takes bytes. Units of a thousand (kB, MB) are refused rather than guessed at.
func size(into *int64) scalar {
	return scalar{parse: func(s string) *wrong {
		const form = "write bytes as a bare number, or 64KiB, 10MiB, 1GiB; 0 means unlimited"
		if !sizeForm.MatchString(s) {
			return &wrong{"is not a size", form}
		}
		n, err := humanize.ParseBytes(s)
		if err != nil || n > math.MaxInt64 {
			return &wrong{"is more than can be counted", form}
		}
		*into = int64(n)
		return nil
	}}
}

// count takes a whole number of things.
func count(into *int) scalar {
	return scalar{parse: func(s string) *wrong {
		n, err := strconv.ParseUint(s, 10, 31)
		*into = int(n)
		if err != nil {
			return &wrong{"is not a whole number", "write a number such as 5 or 10000; 0 means any number"}
		}
		return nil
	}}
}

// maxName is how many characters a name may have that ends up in URLs, cookies or logs.
const maxName = 64

var (
	providerID = regexp.MustCompile(`^[a-z0-9-]+$`)
	token      = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 §5.6.2
	scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)   // RFC 6749 §3.3
)

func checkProviderID(s string) *wrong {
	if !providerID.MatchString(s) || len(s) > maxName {
		return &wrong{fmt.Sprintf("is not made of a–z, 0–9 and - alone, %d at most", maxName), "write something like main: it becomes part of the redirect URI"}
	}
	return nil
}

func checkCookieName(s string) *wrong {
	switch {
	case !token.MatchString(s) || len(s) > maxName:
		return &wrong{fmt.Sprintf("is not made of letters, digits, - and _ alone, %d at most", maxName), "write something like cloakroom (RFC 6265 §4.1.1)"}
	case strings.HasPrefix(s, "__") || strings.HasPrefix(s, "$"):
		return &wrong{"begins with __ or $, which browsers and servers read a meaning into", "leave the prefix out: on https, __Host-Http- is put in front"}
	}
	return nil
}

func checkScope(s string) *wrong {
	if !scopeToken.MatchString(s) {
		return &wrong{"is not a scope", "write each scope as an item of its own, without blanks or quotes (RFC 6749 §3.3)"}
	}
	return nil
}

func checkMethod(s string) *wrong {
	upper := strings.ToUpper(s)
	switch {
	case !token.MatchString(s) || len(s) > maxName:
		return &wrong{"is not an HTTP method", "write names such as GET or POST"}
	case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
		return &wrong{"can't be " + upper, "take it out: such requests are always refused (RFC 9110 §9.3.6, §9.3.8)"}
	case s != upper && slices.Contains(allMethods(), upper):
		return &wrong{"is not in capitals", "write " + upper + ": names of methods are case-sensitive (RFC 9110 §9.1)"}
	}
	return nil
}

// allMethods are the methods that people misspell.
func allMethods() []string { return append(defaultMethods(), "OPTIONS") }

func checkKey(s string) *wrong {
	if _, err := decodeKey(s); err != nil {
		return &wrong{"is no key: " + err.Error(), "print one with: cloakroom keygen"}
	}
	return nil
}

// checkCSP bounds what goes into a header as it is.
func checkCSP(s string) *wrong {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return &wrong{"holds a character that a header can't", "write ASCII; fold several lines with >-"}
	}
	return nil
}
