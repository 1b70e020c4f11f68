package site

import (
	"net/http"
	"slices"
	"strings"
)

// A Verdict is what a browser's marks say of who is behind a request.
type Verdict int

// The verdicts. Foreign is the zero value: what is not judged is not let in.
const (
	Foreign  Verdict = iota // a page of another origin, a sibling subdomain's included; or marks that no browser makes
	Referred                // Referer alone names a page of another origin: as good as Foreign where nothing else is proof
	Unmarked                // nothing is said: an old browser, or none
	Typed                   // the person: an address typed, a bookmark, a download of a known address
	Own                     // a page of the public origin, or of an allowed one that says so
)

// Origins are those whose pages may call this service.
type Origins struct {
	Public  string
	Allowed []string // further ones
}

// Judge reads Origin, Fetch Metadata and, where both are missing from a request that only reads, Referer: WebKit sends
// neither with `<a download>`. An origin counts byte for byte. The marks can't be forged by a script; a word of Fetch
// Metadata that is not known counts as foreign.
func (o Origins) Judge(r *http.Request) Verdict {
	origin, site, mode := r.Header["Origin"], r.Header["Sec-Fetch-Site"], r.Header.Get("Sec-Fetch-Mode")
	switch {
	case len(origin) > 1 || len(site) > 1:
		return Foreign
	case len(origin) == 1 && slices.Contains(o.Allowed, origin[0]):
		return Own // a CORS request, which Fetch Metadata calls foreign
	case len(origin) == 1 && origin[0] != o.Public:
		return Foreign
	}
	said := ""
	if len(site) == 1 {
		said = site[0]
	}
	switch {
	case said == "same-origin":
		return Own
	case said != "" && said != "none", !isKnownMode(mode): // which a page of any origin may send
		return Foreign
	case said == "none":
		return Typed
	case len(origin) == 1:
		return Own
	case Reads(r):
		return o.byReferer(r.Header["Referer"])
	}
	return Unmarked
}

// isKnownMode reports whether a Sec-Fetch-Mode is absent, or one that says nothing against a request; no-cors does.
func isKnownMode(mode string) bool {
	switch mode {
	case "", "navigate", "same-origin", "cors", "websocket":
		return true
	}
	return false
}

// Reads reports whether a request's method is one that changes nothing and that a link or an image can have.
func Reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// byReferer judges by the page that a request came from. A page can leave it out, and can't make one up.
func (o Origins) byReferer(referer []string) Verdict {
	switch {
	case len(referer) > 1:
		return Foreign // no browser does that
	case len(referer) == 0 || referer[0] == "":
		return Unmarked
	}
	for _, origin := range append([]string{o.Public}, o.Allowed...) {
		rest, ours := strings.CutPrefix(referer[0], origin)
		if ours && (rest == "" || strings.IndexByte("/?#", rest[0]) >= 0) {
			return Own
		}
	}
	return Referred
}
