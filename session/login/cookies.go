package login

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/site"
)

const (
	// maxAttempts is how many attempts one browser can have open.
	maxAttempts = 5
	// maxAttemptBytes bounds what they add to each request, so that all headers stay under 8 KB.
	maxAttemptBytes = 6000
	// maxCleared bounds the deletions in one answer; the rest goes next time.
	maxCleared = 20
)

// cookies are the attempt cookies of browsers: one per attempt, found again by its state.
type cookies struct {
	site  *site.Site
	codec codec
	now   func() time.Time
}

// name is the cookie of the attempt with that state. It is made of a hash, since names of cookies
// are shown in places where values are not.
func (c cookies) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return c.site.AttemptCookie(base64.RawURLEncoding.EncodeToString(sum[:12]))
}

// set gives the browser a cookie for a, and takes back the oldest ones that have no room beside it.
func (c cookies) set(w http.ResponseWriter, r *http.Request, a *attempt, formPost bool) error {
	name := c.name(a.State)
	value, err := c.codec.seal(name, a)
	if err != nil {
		return err
	}
	for _, old := range c.surplus(r, len(name)+len(value)) {
		c.clear(w, old)
	}
	cookie := c.site.NewCookie(name, value)
	cookie.MaxAge = int(a.life() / time.Second)
	if formPost && cookie.Secure {
		// A form_post response is a cross-site POST, with which only None comes along; browsers
		// take None from https alone.
		cookie.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
	return nil
}

// clear asks the browser to forget a cookie; the attributes must be those it was set with, or the
// name's prefix makes browsers refuse the deletion.
func (c cookies) clear(w http.ResponseWriter, name string) {
	cookie := c.site.NewCookie(name, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

// surplus lists the names of r's attempt cookies that must go so that one more of size bytes fits:
// those that are no open attempt, then the oldest.
func (c cookies) surplus(r *http.Request, size int) []string {
	type held struct {
		name    string
		size    int
		started time.Time
	}
	var open []held
	var gone []string
	prefix := c.site.AttemptCookie("")
	for _, cookie := range r.Cookies() {
		if !strings.HasPrefix(cookie.Name, prefix) {
			continue
		}
		a, err := c.codec.open(cookie.Name, cookie.Value)
		if err != nil || cookie.Quoted || a.expired(c.now()) {
			gone = append(gone, cookie.Name)
			continue
		}
		open = append(open, held{cookie.Name, len(cookie.Name) + len(cookie.Value), a.started()})
	}
	slices.SortFunc(open, func(a, b held) int { return b.started.Compare(a.started) }) // newest first
	kept := 1
	for _, h := range open {
		if size += h.size; kept >= maxAttempts || size > maxAttemptBytes {
			gone = append(gone, h.name)
			continue
		}
		kept++
	}
	return gone[:min(len(gone), maxCleared)]
}

// find returns the attempt that r's cookie for this state holds, and whether there was any cookie
// of that name. Of several by one name the first that opens counts: one planted by a sibling
// subdomain must not keep anybody out.
func (c cookies) find(r *http.Request, state string) (a *attempt, present bool) {
	name := c.name(state)
	for _, cookie := range r.CookiesNamed(name) {
		present = true
		a, err := c.codec.open(name, cookie.Value)
		if err == nil && !cookie.Quoted && secret.New(a.State).Equal(state) {
			return a, true
		}
	}
	return nil, present
}
