package session

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const (
	// maxSignatures bounds how many cookies of our name are verified in one request, and maxTickets
	// how many validly signed ones may each cost a read of the store. A browser sends one; more
	// come from a sibling subdomain that sets cookies of the same name.
	maxSignatures = 64
	maxTickets    = 4
)

// tickets returns the tickets in r's cookies, in the order of the cookies. It parses the header
// itself: Request.Cookies returns nothing above a limit of cookies, and trims characters, so that
// different names look the same. Here a name must match byte for byte, and a value is taken
// unchanged, including quotes.
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

// ClearCookie makes the browser delete the session cookie. The attributes must be those that the
// cookie was set with, otherwise the browser ignores the deletion.
func (m *Manager) ClearCookie(w http.ResponseWriter) {
	m.scs.WriteSessionCookie(context.Background(), w, "", time.Time{})
	noStore(w)
}

// noStore replaces the Cache-Control header that scs adds (`no-cache="Set-Cookie"`): nobody may
// store an answer that sets a session cookie.
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
