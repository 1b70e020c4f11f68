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

// An upstream is the API behind the service. It asks the provider about every access token that it sees,
// once, and answers with whose call it was.
type upstream struct {
	introspection, id, secret string
	client                    *http.Client

	mu    sync.Mutex // guards what follows
	known map[string]*verdict
	calls int
	bad   int // calls with a token that the provider did not know as live
}

// A verdict is what the provider said of a token. A token is not asked about again before it has run out.
type verdict struct {
	once    sync.Once
	asked   atomic.Bool // what follows is set, and does not change any more
	active  bool
	expires time.Time
}

func newUpstream(introspection, id, secret string) *upstream {
	return &upstream{introspection: introspection, id: id, secret: secret, known: map[string]*verdict{}, client: &http.Client{Timeout: 5 * time.Second}}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	v := u.verdict(token)
	v.once.Do(func() {
		v.active, v.expires = u.ask(token)
		v.asked.Store(true)
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

func (u *upstream) verdict(token string) *verdict {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v := u.known[token]; v != nil {
		return v
	}
	for old, v := range u.known { // those that ran out make room
		if v.asked.Load() && time.Since(v.expires) > time.Minute {
			delete(u.known, old)
		}
	}
	v := &verdict{}
	u.known[token] = v
	return v
}

// ask introspects a token (RFC 7662).
func (u *upstream) ask(token string) (active bool, expires time.Time) {
	req, err := http.NewRequest(http.MethodPost, u.introspection, strings.NewReader(url.Values{"token": {token}}.Encode()))
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
