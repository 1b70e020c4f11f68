package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// roles are what this test binary can run as. Each program of a benchmark is a separate process, so
// that its CPU time can be measured.
var roles = map[string]func() error{"api": runAPI, "bare": runBare, "callers": runCallers}

const roleVariable = "CLOAKROOM_LOAD_ROLE"

// runRole runs the role of this process, if it has one.
func runRole() (had bool, err error) {
	run, had := roles[os.Getenv(roleVariable)]
	if !had {
		return false, nil
	}
	return true, run()
}

// runAPI answers with a kilobyte of JSON.
func runAPI() error {
	body := []byte(`{"data":"` + strings.Repeat("x", 1013) + `"}`)
	return listen(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}

// runBare is a plain ReverseProxy whose transport is tuned like the service's.
func runBare() error {
	target, err := url.Parse(os.Getenv("TARGET"))
	if err != nil {
		return err
	}
	buffers := sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
	return listen(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{
			MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true, ForceAttemptHTTP2: true,
			WriteBufferSize: 16 << 10, ReadBufferSize: 16 << 10,
		},
		BufferPool: pool{&buffers},
	})
}

type pool struct{ *sync.Pool }

// Get implements httputil.BufferPool.
func (p pool) Get() []byte { return *p.Pool.Get().(*[]byte) }

// Put implements httputil.BufferPool.
func (p pool) Put(b []byte) { p.Pool.Put(&b) }

// listen serves on a free port and prints its address.
func listen(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return (&http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

// A tally has the results of the callers.
type tally struct {
	Answers, Failures int
	P50, P99          time.Duration
	First             string // the first failure
}

// runCallers calls TARGET for SECONDS over CONNECTIONS connections and prints a tally. Each call
// has the next of the cookies on standard input.
func runCallers() error {
	seconds, err := strconv.ParseFloat(os.Getenv("SECONDS"), 64)
	if err != nil {
		return err
	}
	connections, err := strconv.Atoi(os.Getenv("CONNECTIONS"))
	if err != nil {
		return err
	}
	all, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	cookies := strings.Split(strings.TrimSpace(string(all)), "\n")
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards sum and took
		sum  tally
		took []time.Duration
	)
	for i := range connections {
		wg.Go(func() {
			n, times, failed := keepCalling(ctx, transport, cookies, i)
			mu.Lock()
			defer mu.Unlock()
			sum.Answers += n
			took = append(took, times...)
			if failed != nil {
				sum.Failures++
				sum.First = failed.Error()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	if len(took) > 0 {
		sum.P50, sum.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return json.NewEncoder(os.Stdout).Encode(sum)
}

// keepCalling calls until ctx ends or a call fails.
func keepCalling(ctx context.Context, rt http.RoundTripper, cookies []string, i int) (n int, took []time.Duration, err error) {
	for ; ctx.Err() == nil; i++ {
		req, err := http.NewRequest(http.MethodGet, os.Getenv("TARGET"), nil)
		if err != nil {
			return n, took, err
		}
		req.Header.Set("X-CSRF", "1")
		req.Header.Set("Cookie", cookies[i%len(cookies)])
		began := time.Now()
		res, err := rt.RoundTrip(req)
		if err != nil {
			return n, took, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return n, took, fmt.Errorf("answer %s, %v", res.Status, err)
		}
		took = append(took, time.Since(began))
		n++
	}
	return n, took, nil
}

// again returns a command that runs this test binary in a role until the benchmark ends.
func again(b *testing.B, role string, environment ...string) *exec.Cmd {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c := exec.CommandContext(b.Context(), self)
	c.Env = append(os.Environ(), append(environment, roleVariable+"="+role)...)
	c.Stderr = os.Stderr
	return c
}

// startServer runs a role that listens and returns its process and address.
func startServer(b *testing.B, role string, environment ...string) (*exec.Cmd, string) {
	b.Helper()
	c := again(b, role, environment...)
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatalf("start %s: %v", role, err)
	}
	b.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%s did not say where it listens: %v", role, err)
	}
	return c, strings.TrimSpace(address)
}

// call runs callers that call target with these cookies.
func call(b *testing.B, target string, cookies []string, seconds, connections int) tally {
	b.Helper()
	c := again(b, "callers", "TARGET="+target,
		"SECONDS="+strconv.Itoa(seconds), "CONNECTIONS="+strconv.Itoa(connections))
	c.Stdin = strings.NewReader(strings.Join(cookies, "\n"))
	out, err := c.Output()
	if err != nil {
		b.Fatalf("callers: %v", err)
	}
	var t tally
	if err := json.Unmarshal(out, &t); err != nil {
		b.Fatalf("callers said %q: %v", out, err)
	}
	if t.Failures > 0 || t.Answers == 0 {
		b.Fatalf("%d of %d callers failed: %s", t.Failures, connections, t.First)
	}
	return t
}
