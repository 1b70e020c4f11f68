package login

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
)

const (
	maxAttempts    = 5    // of one browser at a time; the oldest gives way
	maxCookieBytes = 3500 // of one attempt's cookie value; browsers take 4096 with the name
)

// An attempt is what the callback must know of how the login began. It is only ever seen sealed.
type attempt struct {
	State, Nonce, Verifier string
	Provider               string
	ReturnURL              string
	Started                int64  // Unix seconds; the age that counts is judged by it, not by Max-Age
	MaxAge, Prompt         string `json:",omitempty"`
	Previous               string `json:",omitempty"` // name of the session this browser had: its SameSite=Strict cookie may not come with the callback
	Silent                 bool   `json:",omitempty"`
}

// attemptCookies seals attempts into cookies: gorilla/securecookie, AES-CTR and HMAC, keys derived
// for this purpose alone.
type attemptCookies struct {
	prefix string
	secure bool
	codecs []securecookie.Codec
	now    func() time.Time
}

func newAttemptCookies(sessionCookie string, secure bool, keys [][]byte, now func() time.Time) *attemptCookies {
	pairs := make([][]byte, 0, 2*len(keys))
	for _, k := range keys {
		pairs = append(pairs, session.DeriveKey(k, "attempt hash"), session.DeriveKey(k, "attempt block"))
	}
	codecs := securecookie.CodecsFromPairs(pairs...)
	for _, c := range codecs {
		// The age is judged by Started, on our clock.
		c.(*securecookie.SecureCookie).MaxAge(0).MaxLength(maxCookieBytes).SetSerializer(securecookie.JSONEncoder{})
	}
	return &attemptCookies{session.AttemptCookiePrefix(sessionCookie), secure, codecs, now}
}

// name is the cookie of a state. It tells nothing of the state but which cookie is its own.
func (c *attemptCookies) name(state string) string {
	return c.prefix + session.IndexKey("attempt", state)[:16]
}

// set adds the attempt's cookie, and drops the oldest of too many.
func (c *attemptCookies) set(w http.ResponseWriter, r *http.Request, a attempt, crossSitePost bool) error {
	name := c.name(a.State)
	value, err := securecookie.EncodeMulti(name, a, c.codecs...)
	if err != nil {
		return errors.New("the return URL and the parameters do not fit into a cookie")
	}
	open := c.open(r)
	for len(open) >= maxAttempts {
		c.write(w, open[0].cookie, "", -1, false)
		open = open[1:]
	}
	c.write(w, name, value, int(maxAge.Seconds()), crossSitePost)
	return nil
}

// write sets a cookie. It is Lax at the strictest, because the callback comes from another site;
// form_post comes as a POST from there, for which only None will do (Form Post Response Mode).
func (c *attemptCookies) write(w http.ResponseWriter, name, value string, age int, crossSitePost bool) {
	sameSite := http.SameSiteLaxMode
	if crossSitePost {
		sameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: c.secure, SameSite: sameSite,
	})
}

// take returns the attempt that a state names, and takes its cookie back: a state is spent at first
// use, whatever comes of it. It reports whether the request had any cookie at all.
func (c *attemptCookies) take(w http.ResponseWriter, r *http.Request, state string) (a attempt, err error) {
	name := c.name(state)
	var values []string
	for pair := range cookiePairs(r) {
		if pair[0] == name {
			values = append(values, pair[1])
		}
	}
	if len(values) == 0 {
		return attempt{}, errNoCookie
	}
	c.write(w, name, "", -1, false)
	for _, v := range values {
		if a, ok := c.read(name, v); ok && a.State == state {
			if c.now().Sub(time.Unix(a.Started, 0)) > maxAge {
				return a, errExpired
			}
			return a, nil
		}
	}
	return attempt{}, errNoCookie
}

var (
	errNoCookie = errors.New("no cookie of this attempt came with the callback")
	errExpired  = errors.New("the attempt is older than ten minutes")
)

func (c *attemptCookies) read(name, value string) (attempt, bool) {
	// securecookie ignores the unused bits of base64, so that several texts would be one cookie.
	if _, err := base64.URLEncoding.Strict().DecodeString(value); err != nil {
		return attempt{}, false
	}
	var a attempt
	if err := securecookie.DecodeMulti(name, value, &a, c.codecs...); err != nil {
		return attempt{}, false
	}
	return a, true
}

// openAttempt is an attempt cookie that a request brought.
type openAttempt struct {
	cookie  string
	started int64
}

// open lists a request's attempt cookies, oldest first; one that does not open is the oldest.
func (c *attemptCookies) open(r *http.Request) []openAttempt {
	var all []openAttempt
	for pair := range cookiePairs(r) {
		if strings.HasPrefix(pair[0], c.prefix) {
			a, _ := c.read(pair[0], pair[1])
			all = append(all, openAttempt{pair[0], a.Started})
		}
	}
	slices.SortFunc(all, func(a, b openAttempt) int { return cmp.Compare(a.started, b.started) })
	return all
}

// cookiePairs walks the request's cookies as they stand in its lines.
func cookiePairs(r *http.Request) func(yield func([2]string) bool) {
	return func(yield func([2]string) bool) {
		for _, line := range r.Header["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
				if ok && !yield([2]string{name, value}) {
					return
				}
			}
		}
	}
}

// randomText is 256 random bits in 43 characters.
func randomText() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}
