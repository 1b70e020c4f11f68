package load

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const (
	underLoadRounds      = 7
	underLoadSeconds     = 3
	underLoadConnections = 64
	underLoadSessions    = 100
)

// BenchmarkUnderLoad compares the service with a bare, equally tuned httputil.ReverseProxy: the
// image's binary on SQLite with its request log on, 64 connections, 100 sessions, access tokens of
// 935 bytes, answers of a kilobyte.
//
// Each program is a separate process. They are measured in turn, in rounds of changing order. The
// result is the median CPU time per call, by the kernel's account of each process. The service's
// resident memory is measured before the first login and with 1,000 sessions in use.
func BenchmarkUnderLoad(b *testing.B) {
	op := odd.New(b)
	op.SetTokenLife(time.Hour)
	// The access token is lengthened below, so its at_hash would be wrong.
	op.OnClaims(func(_ string, claims odd.Claims) { delete(claims, "at_hash") })
	op.OnToken(func(form url.Values, answer odd.Claims) {
		if token, ok := answer["access_token"].(string); ok && form.Get("grant_type") == "authorization_code" {
			answer["access_token"] = token + strings.Repeat("x", 935-len(token))
		}
	})
	_, api := startServer(b, "api")
	bare, bareAddress := startServer(b, "bare", "TARGET=http://"+api)
	service, origin, ready := startService(b, op, "http://"+api)
	idle := resident(b, service.Process.Pid)
	cookies := logInMany(b, op, origin, underLoadSessions)
	systems := []*system{
		{name: "bare", pid: bare.Process.Pid, target: "http://" + bareAddress + "/x"},
		{name: "cloakroom", pid: service.Process.Pid, target: origin + "/api/x"},
	}
	for _, s := range systems {
		call(b, s.target, cookies, 1, underLoadConnections) // warms up connections and caches
	}
	for b.Loop() {
		for round := range underLoadRounds {
			for i := range systems {
				systems[(round+i)%len(systems)].measure(b, cookies)
			}
		}
	}
	for _, s := range systems {
		b.Logf("%-9s  CPU %5.1f µs a call (%s)  p50 %s  p99 %s  %.0f calls/s", s.name, median(s.cpu), spread(s.cpu),
			micro(median(s.p50)), micro(median(s.p99)), median(s.rate))
		b.ReportMetric(median(s.cpu), "µs-CPU-"+s.name)
	}
	b.ReportMetric(median(systems[1].cpu)/median(systems[0].cpu), "×bare")
	b.ReportMetric(idle, "MiB-idle")
	b.ReportMetric(float64(ready.Milliseconds()), "ms-to-ready")
	b.ReportMetric(0, "ns/op")
	cookies = append(cookies, logInMany(b, op, origin, 1000-underLoadSessions)...)
	call(b, systems[1].target, cookies, underLoadSeconds, underLoadConnections)
	b.ReportMetric(resident(b, service.Process.Pid), "MiB-with-1000-sessions")
}

// A system is one program under load, with its measurements of each round.
type system struct {
	name, target        string
	pid                 int
	cpu, p50, p99, rate []float64 // µs per call, µs, µs, calls per second
}

func (s *system) measure(b *testing.B, cookies []string) {
	before := cpuTime(b, s.pid)
	t := call(b, s.target, cookies, underLoadSeconds, underLoadConnections)
	used := cpuTime(b, s.pid) - before
	s.cpu = append(s.cpu, float64(used.Microseconds())/float64(t.Answers))
	s.p50 = append(s.p50, float64(t.P50.Microseconds()))
	s.p99 = append(s.p99, float64(t.P99.Microseconds()))
	s.rate = append(s.rate, float64(t.Answers)/underLoadSeconds)
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func spread(of []float64) string { return fmt.Sprintf("%.1f to %.1f", slices.Min(of), slices.Max(of)) }

func micro(us float64) time.Duration {
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond)
}

// cpuTime is the user and system time of a process, by the kernel's account in ticks of 10 ms
// (proc(5)).
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// resident is VmRSS of a process, in MiB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS in /proc/PID/status")
	return 0
}
