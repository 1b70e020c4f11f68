package proxy

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// forbidden are trailers that must not pass, in either direction.
var forbidden = []string{
	"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Dpop", "Host", "Content-Type",
	"Content-Encoding", "Content-Range",
	"Connection", "Keep-Alive", "Te", "Upgrade", "Proxy-Connection", "Cache-Control", "If-Match", "Expect", "X-Hop",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X_Forwarded_for", "X-Real-Ip",
	"X-Auth-Request-User", "X_auth_request_user", "X-User", "X-Csrf",
}

// Trailers and their values pass both ways, whatever each side speaks; what would be taken for a credential, an
// identity, framing or a field of the connection does not.
func TestTrailersPassBothWays(t *testing.T) {
	seen := make(chan *http.Request, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Grpc-Status, "+strings.Join(forbidden, ", "))
		w.Header().Set("Connection", "X-Hop")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "back")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "late")
		for _, name := range forbidden {
			w.Header().Set(name, "planted")
		}
		seen <- r
	})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	for api, back := range map[string]*httptest.Server{"HTTP/1.1": plain, "HTTP/2": secure} {
		defer back.Close()
		front := newFront(t, back.URL, back.Certificate())
		for caller, client := range map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2": overHTTP2()} {
			t.Run(fmt.Sprintf("caller over %s, API over %s", caller, api), func(t *testing.T) {
				defer client.CloseIdleConnections()
				sent := io.MultiReader(strings.NewReader("hello"))
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/api/x", sent)
				if err != nil {
					t.Fatal(err)
				}
				r.Trailer = http.Header{"X-Sum": {"5"}}
				for _, name := range forbidden {
					// Over HTTP/2, net/http refuses what is no trailer; and there is no Connection that could name X-Hop.
					if caller == "HTTP/1.1" || httpguts.ValidTrailerHeader(name) && name != "X-Hop" {
						r.Trailer[name] = []string{"planted"}
					}
				}
				if caller == "HTTP/1.1" {
					r.Header.Set("Connection", "X-Hop")
				}
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil || string(body) != "hello" {
					t.Fatalf("answer = %d %q, %v", res.StatusCode, body, err)
				}
				if up := (<-seen).Trailer; len(up) != 1 || up.Get("X-Sum") != "5" {
					t.Errorf("trailers at the API = %v, want X-Sum alone", up)
				}
				want := []string{"Grpc-Status", "X-Sum", "X-Unannounced"}
				if api == "HTTP/2" {
					want = append(want, "X-Hop") // it has no Connection that could name it
				}
				got := slices.Sorted(maps.Keys(res.Trailer))
				slices.Sort(want)
				if !slices.Equal(got, want) || res.Trailer.Get("X-Sum") != "back" || res.Trailer.Get("X-Unannounced") != "late" {
					t.Errorf("trailers at the caller = %v, want %v", res.Trailer, want)
				}
			})
		}
	}
}

// A request that is sent again has its trailers again.
func TestTrailersOfARequestThatIsSentAgain(t *testing.T) {
	api := newScripted(t)
	front := newFront(t, api.URL, api.certificate())
	body := io.MultiReader(strings.NewReader("hello"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/api/refused-late,ok/x", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"5"}}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	api.mu.Lock()
	defer api.mu.Unlock()
	if res.StatusCode != http.StatusOK || api.trailers["/refused-late,ok/x"] != "5" {
		t.Errorf("answer = %d, X-Sum at the API = %q", res.StatusCode, api.trailers["/refused-late,ok/x"])
	}
}
