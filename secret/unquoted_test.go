package secret_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// TestUnquotedErrorsShowNothingOfThePeer: each malformed answer is one that net/http quotes.
func TestUnquotedErrorsShowNothingOfThePeer(t *testing.T) {
	const token, ok = "a-token-that-the-peer-sends-back", "HTTP/1.1 200 OK\r\n"
	shown := 0 // by net/http
	for _, answer := range []string{
		token, "HTTP/1.1 " + token, "HTTP/1.1 2x0 " + token, token + "/1.1 200 OK",
		ok + token, ok + " X: " + token, ok + "Content-Length: " + token, ok + token + "\"\": x",
		ok + "Transfer-Encoding: " + token, ok + "Content-Length: 1\r\nContent-Length: " + token,
	} {
		err := ask(t, answer+"\r\n\r\n")
		if err == nil || !strings.Contains(err.Error(), token) {
			continue
		}
		shown++
		if got := secret.Unquoted(fmt.Errorf("ask: %w", err)); strings.Contains(got.Error(), token) || !errors.Is(got, err) {
			t.Errorf("%q: error = %v", answer, got)
		}
	}
	if shown < 5 {
		t.Errorf("net/http quotes %d of the answers: this test shows little", shown)
	}
	for _, err := range []error{nil, io.ErrUnexpectedEOF, &net.OpError{Op: "dial", Err: errors.New("refused")}} {
		if got := secret.Unquoted(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// ask returns the error of a request to a peer that sends this answer.
func ask(t *testing.T, answer string) error {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		_, _ = http.ReadRequest(bufio.NewReader(theirs))
		_, _ = io.WriteString(theirs, answer)
	}()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return ours, nil },
	}}
	res, err := client.Get("http://peer.example/")
	if err == nil {
		_ = res.Body.Close()
	}
	return err
}
