package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// varyOn are the headers that isNavigation looks at.
var varyOn = []string{"Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Requested-With", "Accept"}

// isNavigation reports whether a browser is loading a page, so that a person reads the answer. It
// goes by Fetch Metadata; without that, by Accept, unless there is X-Requested-With.
func isNavigation(r *http.Request) bool {
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

// isWindow reports whether a browser is loading a page into a window, where the user can notice it:
// not into a frame, and not as a prefetch, an image or a script's request.
//
// An app's service worker that forwards a navigation sends it with the destination `empty`, for a
// frame as well. That is accepted: such a worker belongs to a page of this origin. Without Fetch
// Metadata, isWindow returns true.
func isWindow(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	switch mode := r.Header.Get("Sec-Fetch-Mode"); {
	case isPrefetch(r), mode != "" && mode != "navigate":
		return false
	case mode == "":
		return dest == "" || dest == "document"
	}
	return dest == "" || dest == "document" || dest == "empty"
}

// isFrame reports whether a browser says that it is loading a page into a frame.
func isFrame(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "iframe" || dest == "frame"
}

// isPrefetch reports whether the browser is loading the page in advance, before the user asks for
// it.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(r.Header.Get(name)), "prefetch") {
			return true
		}
	}
	return false
}

// wantsData reports whether the caller is a script, by Fetch Metadata, X-Requested-With, or an
// Accept that names JSON. It is for requests that isNavigation has already ruled out.
func wantsData(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") != "" || r.Header.Get("X-Requested-With") != "" ||
		strings.Contains(r.Header.Get("Accept"), "json")
}

// acceptsHTML reports whether Accept names text/html. A wildcard does not count: programs send
// that.
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

// refusedByQuality reports whether q is 0, which means not acceptable (RFC 9110 §12.4.2).
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

// vary adds to Vary those names that it does not have.
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
