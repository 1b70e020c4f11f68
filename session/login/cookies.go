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
	// maxAttempts is how many open attempts one browser can have.
	maxAttempts = 5
	// maxAttemptBytes bounds the size of their cookies, so that all headers of a request stay under
	// 8 KB.
	maxAttemptBytes = 6000
	// maxCleared bounds the cookies that one response deletes; later responses delete the rest.
	maxCleared = 20
)

// cookies manages the attempt cookies of browsers. Each attempt has one, whose name derives from
// its state.
type cookies struct {
	site  *site.Site
	codec codec
	now   func() time.Time
}

// name returns the cookie name of the attempt with a state. It contains a hash of the state,
// because names of cookies are shown where values are not.
func (c cookies) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return c.site.AttemptCookie(base64.RawURLEncoding.EncodeToString(sum[:12]))
}

// set gives the browser a cookie for a, and deletes the oldest cookies for which there is no room.
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
		// A form_post response is a cross-site POST, which only carries SameSite=None cookies.
		// Browsers accept None only over https.
		cookie.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
	return nil
}

// clear deletes a cookie. The attributes must be those that it was set with: because of the name's
// prefix, browsers refuse the deletion otherwise.
func (c cookies) clear(w http.ResponseWriter, name string) {
	cookie := c.site.NewCookie(name, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

// surplus returns the names of r's attempt cookies that must be deleted to make room for one more
// of size bytes: first those that hold no open attempt, then the oldest.
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
	newestFirst := func(a, b held) int { return b.started.Compare(a.started) }
	slices.SortFunc(open, newestFirst)
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

// find returns the attempt in r's cookie for a state, and whether there was any cookie of that
// name. If there are several, the first that opens counts, so that a cookie planted by a sibling
// subdomain can't prevent a login.
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
