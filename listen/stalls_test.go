package listen_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// bigSize is more than the kernel buffers between two ends of a connection.
const bigSize = 32 << 20

// bigFile puts one into the app.
func bigFile(g *world.World) {
	g.T.Helper()
	if err := os.WriteFile(filepath.Join(g.Dir, "big.js"), bytes.Repeat([]byte("//"), bigSize/2), 0o600); err != nil {
		g.T.Fatal(err)
	}
}

// flood is an API that never stops.
func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, "data: "+strings.Repeat("x", 8<<10)+"\n\n"); err != nil {
			return
		}
	}
}

// stalled is how many exchanges were ended for their callers.
func stalled(g *world.World, waitedFor string) string {
	g.T.Helper()
	res, err := http.Get(g.Admin + "/metrics")
	if err != nil {
		g.T.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	_, rest, _ := strings.Cut(string(body), fmt.Sprintf("cloakroom_stalled_callers_total{waited_for=%q} ", waitedFor))
	n, _, _ := strings.Cut(rest, "\n")
	return n
}

// S5: an answer that nobody reads is not kept, an event stream neither.
func TestAnAnswerThatNobodyReadsIsCut(t *testing.T) {
	g := newImpatientRig(t)
	bigFile(g)
	g.API.Respond(flood)
	conns := map[string]net.Conn{}
	for _, path := range []string{"/big.js", "/open", "/open/stream"} {
		conns[path] = dial(g)
		fmt.Fprintf(conns[path], "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	}
	began := time.Now()
	world.Eventually(t, "three answers to be cut", func() bool { return stalled(g, "response") == "3" })
	if took := time.Since(began); took < stallTime {
		t.Errorf("they were cut after %v", took)
	}
	for path, conn := range conns {
		if n, _ := io.Copy(io.Discard, conn); n >= bigSize {
			t.Errorf("%s came whole: %d bytes", path, n)
		}
	}
}

// S5: who reads slowly, or pauses for less than the limit, gets all.
func TestAPausedDownloadResumes(t *testing.T) {
	g := newImpatientRig(t)
	bigFile(g)
	var all sync.WaitGroup
	for name, client := range clients(t) {
		all.Go(func() {
			res, err := client.Get(g.Origin + "/big.js")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			total := int64(0)
			for i := range 30 { // longer than the limit in all
				pause := stallTime / 16
				if i%10 == 9 {
					pause = stallTime / 2
				}
				time.Sleep(pause)
				n, err := io.CopyN(io.Discard, res.Body, 512<<10)
				if total += n; err != nil {
					t.Errorf("%s: %v after %d bytes", name, err, total)
					return
				}
			}
			n, err := io.Copy(io.Discard, res.Body)
			if total += n; err != nil || total != bigSize {
				t.Errorf("%s: %d bytes, %v; want %d", name, total, err, bigSize)
			}
		})
	}
	all.Wait()
}

// A rawConn speaks HTTP/2 by frames, with no window for any answer.
type rawConn struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	next   uint32
	head   bytes.Buffer
	encode *hpack.Encoder
}

func dialHTTP2(g *world.World) *rawConn {
	g.T.Helper()
	c := &rawConn{t: g.T, conn: dial(g), next: 1}
	c.encode = hpack.NewEncoder(&c.head)
	if _, err := io.WriteString(c.conn, http2.ClientPreface); err != nil {
		g.T.Fatal(err)
	}
	c.framer = http2.NewFramer(c.conn, bufio.NewReader(c.conn))
	c.want(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	return c
}

func (c *rawConn) want(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// open sends a request; without a body it is whole.
func (c *rawConn) open(method, path, body string) uint32 {
	c.t.Helper()
	c.head.Reset()
	for _, f := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}} {
		c.want(c.encode.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	id := c.next
	c.next += 2
	c.want(c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.head.Bytes(), EndHeaders: true, EndStream: body == "",
	}))
	if body != "" {
		c.want(c.framer.WriteData(id, false, []byte(body)))
	}
	return id
}

// ended waits until so many streams were reset.
func (c *rawConn) ended(n int) {
	c.t.Helper()
	for over := 0; over < n; {
		frame, err := c.framer.ReadFrame()
		c.want(err)
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.want(c.framer.WriteSettingsAck())
			}
		case *http2.RSTStreamFrame:
			over++
		case *http2.GoAwayFrame:
			c.t.Fatalf("the connection is given up: %v", f)
		}
	}
}

// S5: a thousand streams whose callers neither send nor read leave nothing behind, and their connections live.
func TestStalledStreamsLeaveNothing(t *testing.T) {
	g := newImpatientRig(t)
	bigFile(g)
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	conns := make([]*rawConn, 5)
	for i := range conns {
		conns[i] = dialHTTP2(g)
		conns[i].open("POST", "/open", "abc") // warms up
		conns[i].ended(1)
	}
	before := runtime.NumGoroutine()
	for _, c := range conns {
		for range 50 {
			c.open("POST", "/open", "abc")
			c.open("GET", "/big.js", "")
			c.open("GET", "/bff/user", "") // a small answer, which waits in a buffer
			c.open("POST", "/bff/login", "abc")
		}
	}
	for _, c := range conns {
		c.ended(200)
	}
	world.Eventually(t, "a thousand streams to be gone", func() bool { return runtime.NumGoroutine() <= before+10 })
	for _, c := range conns { // which serve on
		c.want(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
		id := c.open("GET", "/bff/session", "")
		for {
			frame, err := c.framer.ReadFrame()
			c.want(err)
			if f, ok := frame.(*http2.DataFrame); ok && f.StreamID == id {
				break
			}
		}
	}
}

// S5: over HTTP/2 a refusal does not wait for the body either.
func TestRefusalsOverHTTP2DoNotWaitForTheBody(t *testing.T) {
	g := world.New(t, "")
	c := dialHTTP2(g)
	c.want(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	for range 200 {
		c.open("POST", "/bff/user", "abc")
	}
	c.ended(200) // without an error, once the answer is there (RFC 9113 §8.1)
}

// S5: SIGTERM waits for nobody who keeps us waiting, and for no event stream: its browser connects elsewhere.
func TestStalledCallersDoNotHoldUpTheShutdown(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Listen.ShutdownTimeout = time.Minute
	_, stop := g.Launch(cfg)
	bigFile(g)
	streaming := make(chan struct{}, 1)
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "data: x\n\n")
		_ = http.NewResponseController(w).Flush()
		streaming <- struct{}{}
		<-r.Context().Done()
	})
	fmt.Fprint(dial(g), "POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
	fmt.Fprint(dial(g), "POST /bff/login HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nabc")
	fmt.Fprint(dial(g), "GET /big.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c := dialHTTP2(g)
	c.open("POST", "/open", "abc")
	c.open("GET", "/big.js", "")
	c.open("GET", "/bff/user", "")
	events := dial(g)
	fmt.Fprint(events, "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-streaming
	world.Eventually(t, "the requests to be under way", func() bool { return len(g.API.Requests()) == 3 })
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	res, err := http.ReadResponse(bufio.NewReader(events), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "data: x\n\n" {
		t.Errorf("the event stream = %q, %v; want it to end well", body, err)
	}
}

// WS5: a visitor's WebSocket is told when the service stops, like everybody's, and its tunnel does not outlive the service.
func TestTheServicesEndEndsAVisitorsWebSocket(t *testing.T) {
	g := world.NewStage(t)
	_, stop := g.Launch(g.Config(g.Port, "sqlite:"+g.DB, ""))
	g.ServeStreams()
	socket := g.Browser().WebSocket(g.Origin, "/open/echo")
	if err := stop(); err != nil {
		t.Error(err)
	}
	world.WantClosed(t, socket, 1001, "service_restart", 10*time.Second)
}
