package provider

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const frozenChild = "CLOAKROOM_TEST_FROZEN_CHILD"

// A request to a provider that does not answer ends at its timeout.
func TestAwakeEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := withAwakeTimeout(t.Context(), 10*time.Second)
		defer cancel()
		<-ctx.Done()
		if took := time.Since(began); took != 10*time.Second || context.Cause(ctx) != context.DeadlineExceeded {
			t.Errorf("over after %s with %v, want 10s and a deadline", took, context.Cause(ctx))
		}
		cancelled, cancel := withAwakeTimeout(t.Context(), 10*time.Second)
		cancel()
		if <-cancelled.Done(); context.Cause(cancelled) != context.Canceled {
			t.Errorf("cancelled: %v", context.Cause(cancelled))
		}
	})
}

// An answer that arrived while the process was frozen for longer than the timeout is used. If it
// were thrown away, the session would be lost, since its refresh token is used up.
func TestAnswerThatCameWhileFrozenIsRead(t *testing.T) {
	if to := os.Getenv(frozenChild); to != "" {
		askAsFrozenChild(to)
		return
	}
	asked, answered := make(chan struct{}), make(chan struct{})
	op := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		time.Sleep(500 * time.Millisecond) // until it is frozen
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"answer":42}`)
		close(answered)
	}))
	defer op.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestAnswerThatCameWhileFrozenIsRead$")
	child.Env = append(os.Environ(), frozenChild+"="+op.URL)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-answered
	time.Sleep(4 * time.Second)
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if !strings.Contains(line, `status 200 {"answer":42}`) {
		t.Errorf("once awake: %q, want the answer", line)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
}

// askAsFrozenChild sends a request with a timeout of two seconds, and prints the answer.
func askAsFrozenChild(to string) {
	c := newCaller("main", Options{Timeout: 2 * time.Second, Now: time.Now, Metrics: prometheus.NewRegistry()})
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(""))
	if err == nil {
		var a *answer
		if a, err = c.send(context.Background(), endpointToken, r, c.timeout); err == nil {
			fmt.Printf("status %d %s\n", a.status, a.body)
			return
		}
	}
	fmt.Println(err)
}
