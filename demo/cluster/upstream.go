package cluster

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An upstream is the API behind the service. It introspects each access token once and remembers
// the result.
type upstream struct {
	introspection, id, secret string
	client                    *http.Client

	mu    sync.Mutex // guards the fields below
	known map[string]*introspection
	calls int
	bad   int // calls with a token that was not active
}

// An introspection is the provider's answer about a token.
type introspection struct {
	once    sync.Once
	done    atomic.Bool // the fields below are set and don't change any more
	active  bool
	expires time.Time
}

func newUpstream(endpoint, id, secret string) *upstream {
	return &upstream{
		introspection: endpoint, id: id, secret: secret,
		known:  map[string]*introspection{},
		client: &http.Client{Timeout: 5 * time.Second},
	}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	v := u.introspectionOf(token)
	v.once.Do(func() {
		v.active, v.expires = u.introspect(token)
		v.done.Store(true)
	})
	good := v.active && time.Now().Before(v.expires)
	u.mu.Lock()
	u.calls++
	if !good {
		u.bad++
	}
	u.mu.Unlock()
	if !good {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`)) // the caller may be gone
}

func (u *upstream) introspectionOf(token string) *introspection {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v := u.known[token]; v != nil {
		return v
	}
	for old, v := range u.known { // remove expired tokens
		if v.done.Load() && time.Since(v.expires) > time.Minute {
			delete(u.known, old)
		}
	}
	v := &introspection{}
	u.known[token] = v
	return v
}

// introspect asks the provider about a token (RFC 7662).
func (u *upstream) introspect(token string) (active bool, expires time.Time) {
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	req, err := http.NewRequest(http.MethodPost, u.introspection, form)
	if err != nil {
		return false, time.Now()
	}
	req.SetBasicAuth(u.id, u.secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := u.client.Do(req)
	if err != nil {
		return false, time.Now()
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	var answer struct {
		Active bool  `json:"active"`
		Exp    int64 `json:"exp"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false, time.Now()
	}
	return answer.Active, time.Unix(answer.Exp, 0).Add(time.Second) // exp is in whole seconds
}

func (u *upstream) counts() (calls, bad int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls, u.bad
}
