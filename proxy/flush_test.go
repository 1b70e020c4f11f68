package proxy

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What an API has sent arrives while the API waits with the rest, whether the answer has a length or none. The API
// goes on only once its caller has what was sent.
func TestTricklingAnswersArriveAsTheyCome(t *testing.T) {
	for name, header := range map[string]http.Header{
		"with a length":      {"Content-Length": {"8"}, "Content-Type": {"application/json"}},
		"without a length":   {"Content-Type": {"application/octet-stream"}},
		"server-sent events": {"Content-Type": {"text/event-stream"}},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{})
			next := func(r *http.Request) {
				select {
				case <-arrived:
				case <-r.Context().Done():
				}
			}
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				maps.Copy(w.Header(), header)
				flush := http.NewResponseController(w).Flush
				_ = flush()
				next(r) // the header alone
				_, _ = io.WriteString(w, "half")
				_ = flush()
				next(r)
				_, _ = io.WriteString(w, "rest")
			}))
			defer api.Close()
			front := newFront(t, api.URL, nil)
			client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			res, err := client.Get(front.URL + "/api/x")
			if err != nil {
				t.Fatalf("the header did not come: %v", err)
			}
			defer res.Body.Close()
			arrived <- struct{}{}
			half := make([]byte, 4)
			if _, err := io.ReadFull(res.Body, half); err != nil {
				t.Fatalf("the first half did not come: %v", err)
			}
			arrived <- struct{}{}
			if rest, err := io.ReadAll(res.Body); string(half)+string(rest) != "halfrest" || err != nil {
				t.Errorf("answer = %s%s, %v", half, rest, err)
			}
		})
	}
}
