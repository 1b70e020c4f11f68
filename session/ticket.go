package session

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// maxCandidates is how many cookies of our name in one request are looked at: more than one comes
// only from a sibling subdomain that plants its own (SC6).
const maxCandidates = 4

// A ticket is what a cookie of ours says once its signature is good.
type ticket struct {
	name   Name
	issued time.Time // to the second
}

// tickets signs and reads the session cookie's value. The signature is what makes a made-up cookie
// cost no store read (ST4); the secret is the 256 random bits inside.
type tickets struct {
	cookie string
	codecs []securecookie.Codec
}

func newTickets(cookie string, keys [][]byte) *tickets {
	pairs := make([][]byte, 0, 2*len(keys))
	for _, k := range keys {
		pairs = append(pairs, DeriveKey(k, "ticket"), nil)
	}
	codecs := securecookie.CodecsFromPairs(pairs...)
	for _, c := range codecs {
		// How long a ticket is good for is the store's to say.
		c.(*securecookie.SecureCookie).MaxAge(0).SetSerializer(securecookie.NopEncoder{})
	}
	return &tickets{cookie, codecs}
}

// sign makes the cookie value for the token that scs generated.
func (t *tickets) sign(token string, issued time.Time) (string, error) {
	return securecookie.EncodeMulti(t.cookie, []byte(token+"."+strconv.FormatInt(issued.Unix(), 10)), t.codecs...)
}

// verify reads a cookie value. Whatever is wrong with it, the answer is one and the same (LG8).
func (t *tickets) verify(value string) (ticket, bool) {
	// securecookie ignores the unused bits of base64, so that several texts would be one ticket.
	if _, err := base64.URLEncoding.Strict().DecodeString(value); err != nil {
		return ticket{}, false
	}
	var signed []byte
	if err := securecookie.DecodeMulti(t.cookie, value, &signed, t.codecs...); err != nil {
		return ticket{}, false
	}
	token, issued, ok := strings.Cut(string(signed), ".")
	if !ok {
		return ticket{}, false
	}
	seconds, err := strconv.ParseInt(issued, 10, 64)
	if err != nil {
		return ticket{}, false
	}
	return ticket{nameOf(token), time.Unix(seconds, 0)}, true
}

// nameOf is how scs names a token in its store with HashTokenInStore.
func nameOf(token string) Name {
	sum := sha256.Sum256([]byte(token))
	return Name(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// fromRequest returns the tickets of a request in the order of its cookies. The Cookie lines are
// read as they stand: net/http returns no cookie at all above its count limit (SC8), and trims
// what makes a look-alike differ from the real name (SC7).
func (t *tickets) fromRequest(r *http.Request) []ticket {
	var found []ticket
	seen := 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || name != t.cookie {
				continue
			}
			if seen++; seen > maxCandidates {
				return found
			}
			if tk, ok := t.verify(value); ok {
				found = append(found, tk)
			}
		}
	}
	return found
}

// AttemptCookiePrefix is what the names of all attempt cookies begin with that belong to a session
// cookie's name.
func AttemptCookiePrefix(sessionCookie string) string { return sessionCookie + "-attempt-" }
