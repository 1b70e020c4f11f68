package handlers

import (
	"net/http"
	"strings"
	"testing"
)

// BR5: Fetch Metadata decides; without it, X-Requested-With and Accept.
func TestNavigationsAreToldFromFetches(t *testing.T) {
	for headers, want := range map[string]bool{
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Accept: text/html": true,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe":                     true,
		"Sec-Fetch-Mode: navigate|X-Requested-With: XMLHttpRequest":           true,
		"Sec-Fetch-Dest: document":                                            true,
		"Sec-Fetch-Mode: cors|Accept: text/html":                              false,
		"Sec-Fetch-Mode: same-origin|Accept: text/html":                       false,
		"Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image":                       false,
		"Sec-Fetch-Dest: empty|Accept: text/html":                             false,

		"":                         false,
		"Accept: */*":              false,
		"Accept: application/json": false,
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"Accept: application/json, TEXT/HTML ; q=0.5":                             true,
		"Accept: application/json|Accept: text/html":                              true,
		"Accept: text/html;q=0, application/json":                                 false,
		"Accept: text/html;q=0.000":                                               false,
		"Accept: text/htmlx":                                                      false,
		"Accept: application/json;profile=\"text/html\"":                          false,
		"Accept: text/html|X-Requested-With: XMLHttpRequest":                      false,
		"Accept: text/html|X-Requested-With: fetch":                               false,
	} {
		r := &http.Request{Header: http.Header{}}
		for line := range strings.SplitSeq(headers, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		if got := isNavigation(r); got != want {
			t.Errorf("isNavigation(%s) = %v, want %v", headers, got, want)
		}
	}
}

// LS9: only a navigation that the user can notice starts a login or logs out. A service worker
// forwards one with the destination empty.
func TestWindowsAreToldFromFramesAndFetches(t *testing.T) {
	for headers, want := range map[string]bool{
		"": true, // an old browser without Fetch Metadata
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document":    true,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: empty":       true,
		"Sec-Fetch-Mode: navigate":                             true,
		"Sec-Fetch-Dest: document":                             true,
		"Sec-Fetch-Dest: empty":                                false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe":      false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: frame":       false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: fencedframe": false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: embed":       false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: object":      false,
		"Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty":           false,
		"Sec-Fetch-Mode: same-origin|Sec-Fetch-Dest: empty":    false,
		"Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: empty":        false,
		"Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: document":     false,
		"Sec-Fetch-Mode: bogus|Sec-Fetch-Dest: empty":          false,

		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: empty|Sec-Purpose: prefetch;prerender": false,
		"Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Purpose: prefetch":            false,
	} {
		r := &http.Request{Header: http.Header{}}
		for line := range strings.SplitSeq(headers, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		if got := isWindow(r); got != want {
			t.Errorf("isWindow(%s) = %v, want %v", headers, got, want)
		}
	}
}

func TestVaryIsCompletedNotRepeated(t *testing.T) {
	h := http.Header{"Vary": {"Origin, sec-fetch-mode"}}
	vary(h, varyOn...)
	vary(h, varyOn...)
	const want = "Origin, sec-fetch-mode, Sec-Fetch-Dest, X-Requested-With, Accept"
	if got := strings.Join(h.Values("Vary"), ", "); got != want {
		t.Errorf("Vary = %q, want %q", got, want)
	}
}
