package world

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A Stranger is a client without a session. It keeps no cookies. It keeps many idle connections, so
// that it can send many requests at once.
type Stranger struct {
	World  *World
	Client *http.Client
	From   string // X-Forwarded-For; "" for none
}

// Stranger returns a new stranger. from is its address in X-Forwarded-For; "" means that the field
// is not sent.
func (g *World) Stranger(from string) *Stranger {
	return &Stranger{g, &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 512},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, from}
}

// Do sends a request with the headers of a navigation. It returns nil if the test is over.
func (s *Stranger) Do(ctx context.Context, method, target string, body io.Reader, header ...string) *Reply {
	req, err := http.NewRequestWithContext(ctx, method, s.World.Origin+target, body)
	if err != nil {
		return nil
	}
	for _, h := range [][]string{{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, header} {
		for i := 0; i < len(h); i += 2 {
			req.Header.Set(h[i], h[i+1])
		}
	}
	if s.From != "" {
		req.Header.Set("X-Forwarded-For", s.From)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil
	}
	return &Reply{Response: res, Text: string(text)}
}

// Guess begins a login and sends a made-up code to the callback.
func (s *Stranger) Guess(ctx context.Context) *Reply {
	begin := s.Do(ctx, http.MethodGet, "/bff/login", nil)
	if begin == nil || begin.StatusCode != http.StatusFound {
		return begin
	}
	to, err := url.Parse(begin.Header.Get("Location"))
	if err != nil {
		return nil
	}
	cookie, _, _ := strings.Cut(begin.Header.Get("Set-Cookie"), ";")
	answer := url.Values{"code": {"made-up"}, "state": {to.Query().Get("state")}, "iss": {s.World.OP.Issuer()}}
	return s.Do(ctx, http.MethodGet, "/bff/callback/main?"+answer.Encode(), nil, "Cookie", cookie)
}

// JunkLogout posts a logout token that names an unknown key.
func (s *Stranger) JunkLogout(ctx context.Context) {
	real := s.World.OP.LogoutToken(func(_, c odd.Claims) { c["sub"] = "alice" })
	_, rest, _ := strings.Cut(real, ".")
	head := fmt.Sprintf(`{"alg":"RS256","typ":"logout+jwt","kid":"%d"}`, time.Now().UnixNano())
	token := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + rest
	s.Do(ctx, http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded")
}
