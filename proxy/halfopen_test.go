package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
)

// alice is somebody with a session, until end is called.
type alice struct {
	session *session.Session

	mu    sync.Mutex // guards the rest
	over  bool
	ended map[int]func(session.Reason)
}

func newAlice() *alice {
	return &alice{ended: map[int]func(session.Reason){}, session: &session.Session{Name: "n", Record: &session.Record{
		AccessToken: secret.New("an-access-token"), ExpiresAt: time.Now().Add(time.Hour), AccessTokenExpires: time.Now().Add(time.Hour),
	}}}
}

func (a *alice) end(reason session.Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for _, told := range a.ended {
		told(reason)
	}
}

func (a *alice) FromRequest(*http.Request) (*session.Session, error) {
	return a.Get(context.Background(), "n")
}

func (a *alice) Get(context.Context, session.Name) (*session.Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil, session.ErrNoSession
	}
	return a.session, nil
}

func (a *alice) Attach(_ session.Name, ended func(session.Reason)) func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.ended)
	a.ended[n] = ended
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.ended, n)
	}
}

func (a *alice) Touch(context.Context, *session.Session) {}

func (a *alice) AccessToken(context.Context, *session.Session) (renewal.Token, error) {
	return renewal.Token{AccessToken: a.session.Record.AccessToken, Session: a.session}, nil
}

func (a *alice) AfterRejection(context.Context, *session.Session, secret.Value) (renewal.Token, error) {
	return renewal.Token{}, renewal.ErrNotRenewed
}

// A stream whose request side is still open ends with its session at once, before and after the answer has begun,
// and its caller can tell that it is not whole.
func TestHalfOpenStreamsEndWithTheirSession(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 has no need of it, and says so
		_, _ = r.Body.Read(make([]byte, 1))
		if r.URL.Path == "/answers" {
			_, _ = io.WriteString(w, "open")
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.Copy(io.Discard, r.Body) // until the caller is gone
	})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	for api, back := range map[string]*httptest.Server{"HTTP/1.1": plain, "HTTP/2": secure} {
		defer back.Close()
		for caller, client := range map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2": overHTTP2()} {
			for path, answered := range map[string]bool{"answers": true, "waits": false} {
				t.Run(fmt.Sprintf("caller over %s, API over %s, %s", caller, api, path), func(t *testing.T) {
					defer client.CloseIdleConnections()
					user := newAlice()
					front := newFrontFor(t, back.URL, back.Certificate(), "/api/", user)
					body, more := io.Pipe()
					defer more.Close()
					time.AfterFunc(300*time.Millisecond, func() { user.end(session.ReasonLogout) })
					go func() { _, _ = more.Write([]byte("x")) }()
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/api/"+path, body)
					if err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					res, err := client.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					got, err := io.ReadAll(res.Body)
					cutOff := res.StatusCode == http.StatusOK && string(got) == "open" && err != nil
					if answered && !cutOff || !answered && res.StatusCode != http.StatusUnauthorized {
						t.Errorf("answer = %d %q, %v; want it broken off, or 401", res.StatusCode, got, err)
					}
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("it ended after %v, want it at the end of the session", took)
					}
				})
			}
		}
	}
}

// talk opens a stream both ways and has one message come back.
func talk(t *testing.T, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	t.Helper()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Echo/Talk")
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(wrapperspb.String("hello")); err != nil {
		return nil, err
	}
	answer := &wrapperspb.StringValue{}
	if err := stream.RecvMsg(answer); err != nil {
		return nil, err
	}
	if answer.Value != "hello" {
		t.Errorf("echo = %q", answer.Value)
	}
	return stream, nil
}

// A gRPC stream may be silent for long; it ends with its session, and its caller is told so in gRPC's own words. So
// is one who has no session, by HTTP's 401.
func TestGRPCStreamsEndUnauthenticated(t *testing.T) {
	t.Parallel()
	certificates := httptest.NewTLSServer(nil)
	t.Cleanup(certificates.Close)
	pair := certificates.TLS.Certificates[0]
	creds := grpc.Creds(credentials.NewServerTLSFromCert(&pair))
	api := grpc.NewServer(creds, grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		for {
			m := &wrapperspb.StringValue{}
			if err := s.RecvMsg(m); err != nil {
				return err
			}
			if err := s.SendMsg(m); err != nil {
				return err
			}
		}
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = api.Serve(l) }()
	t.Cleanup(api.Stop)
	for name, c := range map[string]struct {
		silent time.Duration
		reason session.Reason
		want   codes.Code
	}{
		"logout":                        {0, session.ReasonLogout, codes.Unauthenticated},
		"expiry":                        {0, session.ReasonExpired, codes.Unauthenticated},
		"continued under a new ticket":  {0, session.ReasonContinued, codes.Unavailable},
		"logout after a longer silence": {15 * time.Second, session.ReasonLogout, codes.Unauthenticated}, // pings would have ended it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := newAlice()
			front := newFrontFor(t, "https://"+l.Addr().String()+"/test.Echo/", certificates.Certificate(), "/test.Echo/", user)
			conn, err := grpc.NewClient(hostOf(t, front.URL), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			stream, err := talk(t, conn)
			if err != nil {
				t.Fatalf("open a stream: %v", err)
			}
			ended := make(chan error, 1)
			go func() { ended <- stream.RecvMsg(&wrapperspb.StringValue{}) }()
			select {
			case err := <-ended:
				t.Fatalf("the silent stream ended with %v", err)
			case <-time.After(c.silent):
			}
			user.end(c.reason)
			select {
			case err := <-ended:
				if status.Code(err) != c.want {
					t.Errorf("the stream ended with %v, want %v", err, c.want)
				}
			case <-time.After(5 * time.Second):
				t.Error("the stream is open 5 s after the end of its session")
			}
			if _, err := talk(t, conn); status.Code(err) != codes.Unauthenticated {
				t.Errorf("without a session: %v, want Unauthenticated", err)
			}
		})
	}
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
