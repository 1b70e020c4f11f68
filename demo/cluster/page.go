package cluster

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// statusInterval is how often the page receives the status.
const statusInterval = 500 * time.Millisecond

// A status is the state of the cluster, for the page.
type status struct {
	Since    time.Time       `json:"since"`
	Now      time.Time       `json:"now"`
	App      string          `json:"app"`
	Replicas []replicaStatus `json:"replicas"`
	Redis    string          `json:"redis"`
	Provider Mode            `json:"provider"`
	Tally    Tally           `json:"tally"`
	Renewals int             `json:"renewals"`
	Reuses   int             `json:"reuses"`
	Revoked  int             `json:"revoked"`
	History  []entry         `json:"history"`
}

type replicaStatus struct {
	State string `json:"state"` // running, frozen or dead
	Cut   bool   `json:"cut"`
}

// handler serves the page. Pages of other origins can neither read the status nor press a button,
// which requires a header that only a script of this origin can send.
func (s *stage) handler() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic("cluster: " + err.Error()) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /status", s.streamStatus)
	mux.HandleFunc("POST /do/{action}/{replica}", s.pressButton)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// streamStatus sends the status as server-sent events.
func (s *stage) streamStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	t := time.NewTicker(statusInterval)
	defer t.Stop()
	for {
		b, err := json.Marshal(s.status())
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *stage) pressButton(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-CSRF") != "1" || strings.HasPrefix(r.Header.Get("Sec-Fetch-Site"), "cross") {
		http.Error(w, "only the page itself may press its buttons", http.StatusForbidden)
		return
	}
	replica, err := strconv.Atoi(r.PathValue("replica"))
	if err == nil {
		err = s.act(r.PathValue("action"), replica)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *stage) status() status {
	provider := s.cluster.Provider()
	st := status{
		Since: s.began, Now: time.Now(), App: s.cluster.App, Tally: s.cluster.Crowd.Tally(),
		Renewals: provider.Renewals, Reuses: provider.Reuses, Revoked: provider.Revocations,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Provider, st.History = s.mode, s.history
	st.Redis = state(s.redis.Running(), s.frozen["redis"])
	for _, r := range s.cluster.Replicas {
		replica := replicaStatus{state(r.Running(), s.frozen[r.Name]), s.cut[r.Name]}
		st.Replicas = append(st.Replicas, replica)
	}
	return st
}

func state(running, frozen bool) string {
	switch {
	case !running:
		return "dead"
	case frozen:
		return "frozen"
	}
	return "running"
}
