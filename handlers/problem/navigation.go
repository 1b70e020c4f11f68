package problem

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// varyOn are the headers that IsNavigation looks at.
var varyOn = []string{"Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Requested-With", "Accept"}

// IsNavigation reports whether a browser is loading a page, so that a person reads the answer: told
// by Fetch Metadata, else by the absence of X-Requested-With, else by Accept.
func IsNavigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	switch {
	case mode != "":
		return mode == "navigate"
	case dest != "":
		return dest == "document"
	case r.Header.Get("X-Requested-With") != "":
		return false
	}
	return acceptsHTML(r.Header.Values("Accept"))
}

// wantsData reports whether the caller plainly is a script: by Fetch Metadata, X-Requested-With, or an
// Accept that names JSON.
func wantsData(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") != "" || r.Header.Get("X-Requested-With") != "" ||
		strings.Contains(r.Header.Get("Accept"), "json")
}

// acceptsHTML reports whether text/html is named; a wildcard is what programs send.
func acceptsHTML(accept []string) bool {
	for value := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, _ := strings.Cut(value, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html", "application/xhtml+xml":
			return !refusedByQuality(params)
		}
	}
	return false
}

// refusedByQuality: q=0 means not acceptable (RFC 9110 §12.4.2).
func refusedByQuality(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			return err == nil && q == 0
		}
	}
	return false
}

// vary adds names to Vary, each once.
func vary(h http.Header, names ...string) {
	var have []string
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			have = append(have, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range names {
		if !slices.Contains(have, name) {
			h.Add("Vary", name)
		}
	}
}
