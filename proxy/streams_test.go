package proxy_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/servers"
)

// WS4: every way in which a session can end: a WebSocket, a stream of the API and the event stream end with the right
// reason, at the replica where it was ended and at another one.
func TestEveryEndEndsEveryStream(t *testing.T) {
	redis := servers.Redis(t).URL()
	for _, end := range []struct {
		name, reason string
		session      string // more of the configuration
		do           func(p *world.Duo, b *world.Browser)
	}{
		{"logout", "logout", "", func(_ *world.Duo, b *world.Browser) {
			b.Do(http.MethodPost, "/bff/logout", nil).Want(b.T, http.StatusOK, "")
		}},
		{"another device", "logout", "", func(p *world.Duo, b *world.Browser) {
			other := p.Browser()
			other.Login()
			other.Do(http.MethodPost, "/bff/sessions/end-others", nil).Want(b.T, http.StatusNoContent, "")
		}},
		{"an administrator", "revoked", "", func(p *world.Duo, b *world.Browser) {
			b.Do(http.MethodDelete, p.Admin+"/admin/sessions?subject=alice&provider=main", nil, "Authorization", "Bearer "+world.AdminToken)
		}},
		{"the provider, by the back channel", "provider_logout", "", func(p *world.Duo, b *world.Browser) {
			p.Browser().Backchannel(p.OP.LogoutToken(world.BySub("alice"))).Want(b.T, http.StatusOK, "")
		}},
		{"the provider, by the front channel", "provider_logout", "", func(p *world.Duo, b *world.Browser) {
			b.Navigate("/bff/frontchannel/main?iss="+url.QueryEscape(p.OP.Issuer())+"&sid=sid-1").Want(b.T, http.StatusOK, "")
		}},
		{"a new login in the same browser", "replaced", "", func(_ *world.Duo, b *world.Browser) { b.Login() }},
		{"absolute expiry", "expired", "  lifetime: 3s\n", func(*world.Duo, *world.Browser) {}},
		{"idle expiry", "expired", "  idle_timeout: 3s\n", func(*world.Duo, *world.Browser) {}},
		{"a refused renewal", "refused", "", func(p *world.Duo, b *world.Browser) {
			p.OP.Intercept(odd.Token, odd.OAuthError(400, "invalid_grant"))
			b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(b.T, http.StatusUnauthorized, "reauthentication_required")
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			p := world.NewDuo(t, redis+"?prefix="+rand.Text(), end.session)
			p.ServeStreams()
			p.OP.OnClaims(func(_ string, c odd.Claims) { c["sid"] = "sid-1" })
			b := p.Browser()
			b.T = t
			b.Login()
			type open struct {
				socket      *websocket.Conn
				events, api <-chan string
			}
			var all []open
			for _, origin := range []string{p.Origin, p.Other} {
				o := open{b.WebSocket(origin, "/api/echo"), b.Stream(origin + "/bff/events"), b.Stream(origin + "/api/stream")}
				for _, lines := range []<-chan string{o.events, o.events, o.api} {
					world.Next(t, lines, 5*time.Second)
				}
				all = append(all, o)
			}
			end.do(p, b)
			within := time.Second
			if end.reason == "expired" {
				within = 4 * time.Second // it still has to run out
			}
			for _, o := range all {
				world.WantClosed(t, o.socket, 4401, end.reason, within)
				if line, open := world.Next(t, o.api, within); open {
					t.Errorf("the API's stream goes on: %q", line)
				}
				line, _ := world.Next(t, o.events, within)
				for strings.HasPrefix(line, "event: session") || strings.HasPrefix(line, "event: expiring") ||
					strings.HasPrefix(line, `data: {"auth`) || strings.HasPrefix(line, `data: {"exp`) {
					line, _ = world.Next(t, o.events, within)
				}
				said, _ := world.Next(t, o.events, within)
				if line != "event: ended" || said != fmt.Sprintf(`data: {"reason":%q}`, end.reason) {
					t.Errorf("events end with %q %q, want the reason %q", line, said, end.reason)
				}
			}
		})
	}
}

// A stream outlives its access token, unless the route says otherwise.
func TestStreamEndsWithItsTokenIfTheRouteSaysSo(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "memory:", "")
	strict := cfg.Proxy.Routes[0]
	strict.Path, strict.EndWithToken = "/strict/", true
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, strict)
	g.Run(cfg)
	g.ServeStreams()
	g.OP.SetTokenLife(2 * time.Second)
	b := g.Browser()
	b.Login()
	lasting, strictly := b.WebSocket(g.Origin, "/api/echo"), b.WebSocket(g.Origin, "/strict/echo")
	world.WantClosed(t, strictly, 4401, "token_expired", 3*time.Second)
	time.Sleep(500 * time.Millisecond)
	if err := lasting.Write(t.Context(), websocket.MessageText, []byte("still there")); err != nil {
		t.Errorf("the other one ended with its token: %v", err)
	}
	if _, msg, err := lasting.Read(t.Context()); err != nil || string(msg) != "still there" {
		t.Errorf("echo = %q %v", msg, err)
	}
}

// What an app hears of a session that is renewed, nears its end, goes on by activity, and runs out.
func TestEventsTellOfRenewalAndOfTheNearEnd(t *testing.T) {
	g := world.New(t, "  idle_timeout: 5s\n  expiring_notice: 3s")
	b := g.Browser()
	b.Login()
	events := b.Stream(g.Origin + "/bff/events")
	want := func(prefix string, within time.Duration) string {
		t.Helper()
		for {
			line, open := world.Next(t, events, within)
			if strings.HasPrefix(line, prefix) {
				data, _ := world.Next(t, events, time.Second)
				return data
			}
			if !open {
				t.Fatalf("the stream ended; want %q", prefix)
			}
		}
	}
	want("event: session", time.Second)
	g.OP.SetTokenLife(10 * time.Minute)
	b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusOK, "")
	if data := want("event: renewed", time.Second); !strings.Contains(data, "access_token_expires_at") {
		t.Errorf("renewed = %s", data)
	}
	if data := want("event: expiring", 4*time.Second); !strings.Contains(data, `"in_seconds":`) {
		t.Errorf("expiring = %s", data)
	}
	b.Get("/api/x").Want(t, http.StatusOK, "") // activity moves the end
	if data := want("event: session", 2*time.Second); !strings.Contains(data, "idle_expires_at") {
		t.Errorf("session = %s", data)
	}
	want("event: expiring", 4*time.Second) // of the new end
	if data := want("event: ended", 5*time.Second); data != `data: {"reason":"expired"}` {
		t.Errorf("ended = %s", data)
	}

	// A browser that was away meanwhile is told once, and then not to come again.
	back := b.Get("/bff/events", "Last-Event-ID", "1.abc")
	if back.StatusCode != http.StatusOK || !strings.Contains(back.Text, `{"reason":"expired"}`) ||
		!strings.Contains(back.Text, "id: ended") {
		t.Errorf("back after the end = %d %s", back.StatusCode, back.Text)
	}
	b.Get("/bff/events", "Last-Event-ID", "ended").Want(t, http.StatusNoContent, "")
	b.Get("/bff/events").Want(t, http.StatusUnauthorized, "session_expired")
	g.Browser().Get("/bff/events", "Last-Event-ID", "1.abc").Want(t, http.StatusUnauthorized, "not_authenticated")
}

// What an idle listener takes, and that it is let go of.
func TestThousandListenersCostLittle(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	const many = 1000
	measure := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := measure()
	var open []net.Conn // bare ones, so that what is measured is the service's side
	for range many {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.Origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
		fmt.Fprintf(conn, "GET /bff/events HTTP/1.1\r\nHost: %s\r\nCookie: cloakroom=%s\r\n"+
			"Accept: text/event-stream\r\nSec-Fetch-Site: same-origin\r\n\r\n",
			strings.TrimPrefix(g.Origin, "http://"), b.Cookie())
		status := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(conn, status); err != nil || string(status) != "HTTP/1.1 200" {
			t.Fatalf("listen: %q %v", status, err)
		}
	}
	listeners := func() string {
		return regexp.MustCompile(`(?m)^cloakroom_event_listeners (.*)$`).FindString(b.Get(g.Admin + "/metrics").Text)
	}
	if got := listeners(); got != "cloakroom_event_listeners 1000" {
		t.Errorf("the metrics say %q of %d listeners", got, many)
	}
	each := int(measure()-before) / many
	t.Logf("%d listeners: %.1f KiB each", many, float64(each)/1024)
	if each > 48<<10 { // docs/scaling.md says 30 KiB
		t.Errorf("a listener takes %d bytes", each)
	}
	for _, conn := range open {
		_ = conn.Close()
	}
	world.Eventually(t, "the listeners to be let go of", func() bool { return listeners() == "cloakroom_event_listeners 0" })
}

// A download that is under way ends with the session, in a way that nobody takes for its end: what was cut is no file.
func TestLogoutCutsADownload(t *testing.T) {
	g := world.New(t, "")
	for name, length := range map[string]string{"with a length": "1000000000", "chunked": ""} {
		t.Run(name, func(t *testing.T) {
			g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				for block := make([]byte, 64<<10); r.Context().Err() == nil; time.Sleep(time.Millisecond) {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			})
			b := g.Browser()
			b.Login()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Origin+"/api/file", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-CSRF", "1")
			res, err := (&http.Client{Jar: b.Client.Jar}).Do(req)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("download: %v", err)
			}
			defer res.Body.Close()
			if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, res.Body)
				ended <- err
			}()
			b.Do(http.MethodPost, "/bff/logout", nil).Want(t, http.StatusOK, "")
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the download ended as if it were whole")
				}
			case <-time.After(time.Second):
				t.Error("the download went on for a second")
			}
		})
	}
}

// One session can't fill a replica with event streams; those that are closed make room.
func TestEventStreamsOfASessionAreBounded(t *testing.T) {
	g := world.New(t, "  max_event_streams: 20")
	b := g.Browser()
	b.Login()
	ctx, closeAll := context.WithCancel(t.Context())
	client := &http.Client{Jar: b.Client.Jar}
	listen := func() int {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.Origin+"/bff/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res.StatusCode
	}
	open := 0
	for ; open < 50 && listen() == http.StatusOK; open++ {
	}
	if open != 20 {
		t.Errorf("event streams of one session = %d, want 20", open)
	}
	b.Get("/bff/events").Want(t, http.StatusTooManyRequests, "rate_limited")
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	other := g.Browser()
	other.Login()
	if line, _ := world.Next(t, other.Stream(g.Origin+"/bff/events"), time.Second); line != "event: session" {
		t.Errorf("another session's first line = %q", line)
	}
	closeAll()
	ctx = t.Context()
	world.Eventually(t, "room for another", func() bool { return listen() == http.StatusOK })
}

// One session can't fill a replica with WebSockets; a closed one makes room, and other sessions have room of their own.
func TestWebSocketsOfASessionAreBounded(t *testing.T) {
	g := world.New(t, "  max_websockets: 3")
	g.ServeStreams()
	alice, again := g.Browser(), g.Browser()
	alice.Login()
	again.Login()
	// An API refuses a version that it does not know, so that none of these is open afterwards.
	handshake := func(b *world.Browser, path string) int {
		return b.Get(path, "X-CSRF", "", "Origin", g.Origin, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "12",
			"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").StatusCode
	}
	var open []*websocket.Conn
	for range 3 {
		open = append(open, alice.WebSocket(g.Origin, "/api/ws"))
	}
	alice.Get("/api/ws", "X-CSRF", "", "Origin", g.Origin, "Connection", "Upgrade", "Upgrade", "websocket").
		Want(t, http.StatusTooManyRequests, "rate_limited")
	if got := handshake(alice, "/optional/ws"); got != http.StatusTooManyRequests {
		t.Errorf("over another route: %d, want 429", got)
	}
	alice.Get("/bff/user").Want(t, http.StatusOK, "")
	_ = again.WebSocket(g.Origin, "/api/ws")
	_ = open[0].CloseNow()
	world.Eventually(t, "room for another", func() bool { return handshake(alice, "/api/ws") != http.StatusTooManyRequests })
	for range 10 { // handshakes that came to nothing leave none
		handshake(alice, "/api/ws")
	}
	_ = alice.WebSocket(g.Origin, "/api/ws")
}
