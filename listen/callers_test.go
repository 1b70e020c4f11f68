package listen_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"
)

// stallTime is a limit that a test can wait for.
const stallTime = 800 * time.Millisecond

// newImpatientRig is a rig whose server waits for callers no longer than stallTime.
func newImpatientRig(t *testing.T) *world.World {
	t.Helper()
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Listen.RequestStallTimeout, cfg.Listen.ResponseStallTimeout = stallTime, stallTime
	g.Run(cfg)
	return g
}

// dial opens a connection that the test reads and writes by hand.
func dial(g *world.World) net.Conn {
	g.T.Helper()
	conn, err := new(net.Dialer).DialContext(g.T.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", g.Port))
	if err != nil {
		g.T.Fatal(err)
	}
	g.T.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(15 * world.Busy)); err != nil {
		g.T.Fatal(err)
	}
	return conn
}

// S5: who is refused hears of it at once, and does not have to send a body that nobody wants.
func TestRefusalsDoNotWaitForTheBody(t *testing.T) {
	g := world.New(t, "") // which would wait for a minute
	for _, tc := range []struct {
		request string
		status  int
	}{
		{"POST /bff/user", 405},
		{"GET /bff/user", 401},
		{"GET /bff/session", 200},
		{"POST /bff/logout", 204},
		{"DELETE /bff/sessions/x", 401},
		{"POST /bff/sessions", 401},
		{"POST /bff/session/refresh", 401},
		{"GET /bff/auth", 401},
		{"GET /bff/events", 401},
		{"POST /bff/callback/main", 405},
		{"POST /bff/nothing", 404},
		{"GET /", 200},
		{"POST /", 405},
		{"GET /nothing.js", 404},
		{"POST /api/x", 401},
		{"PUT /api/x", 405},
		{"POST /api/%2e%2e/x", 400},
		{"POST /meta/x", 401},
	} {
		for name, framing := range map[string]string{
			"a part":        "Content-Length: 10\r\n\r\nabc",
			"nothing":       "Content-Length: 10\r\n\r\n",
			"a lot to come": "Content-Length: 60000\r\n\r\nabc",
			"chunks":        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
			"expecting":     "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		} {
			conn := dial(g)
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nX-CSRF: 1\r\n"+
				"Content-Type: application/x-www-form-urlencoded\r\n%s", tc.request, framing)
			began := time.Now()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%s with %s: %v", tc.request, name, err)
				continue
			}
			if took := time.Since(began); res.StatusCode != tc.status || !res.Close || took > 10*time.Second {
				t.Errorf("%s with %s: %d after %v, close %v; want %d at once, and the connection closed",
					tc.request, name, res.StatusCode, took, res.Close, tc.status)
			}
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("%s with %s: the connection does not end well: %v", tc.request, name, err)
			}
			_ = conn.Close()
		}
	}
}

// A refusal whose body has come with it costs no connection, and what is left of it is no request.
func TestRefusalsKeepTheConnectionOfAWholeRequest(t *testing.T) {
	g := world.New(t, "")
	conn := dial(g)
	in := bufio.NewReader(conn)
	const smuggled = "GET /api/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for range 3 {
		fmt.Fprintf(conn, "POST /bff/user HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusMethodNotAllowed || res.Close {
			t.Fatalf("status %d, close %v, %v; want 405 and the connection kept", res.StatusCode, res.Close, err)
		}
	}
	fmt.Fprintf(conn, "POST /bff/user HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(smuggled)+1, smuggled)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusMethodNotAllowed || !res.Close {
		t.Fatalf("%v, %v; want 405 and the connection closed", res, err)
	} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "x"+smuggled)
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("a second answer came: %.60q", rest)
	}
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
}

// S5: a body that does not come ends the exchange, one that comes slowly does not.
func TestABodyThatDoesNotComeEndsTheExchange(t *testing.T) {
	g := newImpatientRig(t)
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	})
	var all sync.WaitGroup
	for path, status := range map[string]int{"/open": 408, "/bff/login": 408, "/bff/backchannel/main": 400} {
		for _, framing := range []string{"Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
			conn := dial(g)
			all.Go(func() {
				began := time.Now()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\n"+
					"Content-Type: application/x-www-form-urlencoded\r\n%s", path, framing)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				if took := time.Since(began); res.StatusCode != status || !res.Close || took < stallTime {
					t.Errorf("%s: %d after %v, close %v; want %d and the connection closed", path, res.StatusCode, took, res.Close, status)
				}
			})
		}
	}
	slow := dial(g)
	in := bufio.NewReader(slow)
	for range 2 { // each request has the limit for itself
		fmt.Fprint(slow, "POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n")
		for range 10 {
			time.Sleep(stallTime / 8)
			fmt.Fprint(slow, "abc")
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || len(body) != 30 || res.Close {
			t.Errorf("a slow body: %d %q, close %v", res.StatusCode, body, res.Close)
		}
		time.Sleep(stallTime * 5 / 4) // nor does it count between two
	}
	all.Wait()
}

// S5: an API that thinks, or pauses, is waited for as long as it likes.
func TestAnAPIThatPausesKeepsItsCaller(t *testing.T) {
	g := newImpatientRig(t)
	pause := stallTime * 3 / 2
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 2 {
			time.Sleep(pause)
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		time.Sleep(pause)
	})
	var all sync.WaitGroup
	for name, client := range clients(t) {
		all.Go(func() {
			res, err := client.Post(g.Origin+"/open", "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != strings.Repeat("data: x\n\n", 2) {
				t.Errorf("%s: %q, %v", name, body, err)
			}
		})
	}
	all.Wait()
}

// HT8: an API that answers before the body is there is heard at once, and what comes of the body later is no request.
func TestAnEarlyAnswerLeavesNothingOnTheConnection(t *testing.T) {
	g := world.New(t, "")
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, "no")
	})
	const smuggled = "GET /open/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, framing := range map[string]string{
		"a length":    "Content-Length: 4000\r\n\r\nabc",
		"a large one": "Content-Length: 60000\r\n\r\nabc",
		"chunks":      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		conn := dial(g)
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "POST /open HTTP/1.1\r\nHost: localhost\r\n"+framing)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusConflict || string(body) != "no" || !res.Close {
			t.Errorf("%s: %d %q, %v, close %v; want the API's 409 and the connection closed", name, res.StatusCode, body, err, res.Close)
		}
		fmt.Fprint(conn, smuggled+smuggled)
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%s: a second answer came: %.60q", name, rest)
		}
	}
	for _, r := range g.API.Requests() {
		if strings.Contains(r.URL.Path, "smuggled") {
			t.Error("a body was taken for a request")
		}
	}
}

// clients speak HTTP/1.1 and HTTP/2.
func clients(t *testing.T) map[string]*http.Client {
	all := map[string]*http.Client{}
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!two)
		transport.Protocols.SetUnencryptedHTTP2(two)
		t.Cleanup(transport.CloseIdleConnections)
		all[name] = &http.Client{Transport: transport}
	}
	return all
}
