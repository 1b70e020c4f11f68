package session

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const (
	// maxSignatures bounds how many cookies of our name are checked in one request, and maxTickets
	// how many well-signed ones may each cost a look into the store. A browser sends one; more come
	// from a sibling subdomain that tosses its own (SC6).
	maxSignatures = 64
	maxTickets    = 4
)

// tickets returns the tickets that r's cookies hold, in the order they came. The header is read as it
// stands: Request.Cookies returns nothing at all above a count limit (SC8), and trims what makes
// look-alikes of the name look alike (SC7). Here a name is ours byte for byte or not at all, and a
// value is taken as it is, quotes and all.
func (m *Manager) tickets(r *http.Request) []ticket {
	var found []ticket
	checked := 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || name != m.cookie {
				continue
			}
			if checked++; checked > maxSignatures {
				return found
			}
			t, err := m.signer.verify(value)
			if err != nil {
				continue
			}
			if found = append(found, t); len(found) == maxTickets {
				return found
			}
		}
	}
	return found
}

// ClearCookie asks the browser to forget the session cookie. It must be asked with the attributes
// that the cookie was set with, or it ignores the deletion (SC10).
func (m *Manager) ClearCookie(w http.ResponseWriter) {
	m.scs.WriteSessionCookie(context.Background(), w, "", time.Time{})
	noStore(w)
}

// noStore replaces what scs adds beside a cookie (`no-cache="Set-Cookie"`): an answer that sets a
// session cookie may not be kept by anyone.
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
