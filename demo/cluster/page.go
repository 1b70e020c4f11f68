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

// showEvery is how often the page hears how things stand.
const showEvery = 500 * time.Millisecond

// A picture is how things stand, for the page.
type picture struct {
	Since    time.Time        `json:"since"`
	Now      time.Time        `json:"now"`
	App      string           `json:"app"`
	Replicas []replicaPicture `json:"replicas"`
	Redis    string           `json:"redis"`
	Provider Mood             `json:"provider"`
	Tally    Tally            `json:"tally"`
	Renewals int              `json:"renewals"`
	Reuses   int              `json:"reuses"`
	Revoked  int              `json:"revoked"`
	History  []entry          `json:"history"`
}

type replicaPicture struct {
	State string `json:"state"` // running, frozen or dead
	Cut   bool   `json:"cut"`
}

// handler serves the page. A page of another origin can neither read nor press anything: buttons want a
// header that only a script of this origin can send.
func (s *stage) handler() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic("cluster: " + err.Error()) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /picture", s.show)
	mux.HandleFunc("POST /do/{action}/{replica}", s.press)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// show streams pictures as server-sent events.
func (s *stage) show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	t := time.NewTicker(showEvery)
	defer t.Stop()
	for {
		b, err := json.Marshal(s.picture())
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

func (s *stage) press(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-CSRF") != "1" || strings.HasPrefix(r.Header.Get("Sec-Fetch-Site"), "cross") {
		http.Error(w, "buttons are pressed on the page", http.StatusForbidden)
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

func (s *stage) picture() picture {
	status := s.cluster.Provider()
	p := picture{
		Since: s.began, Now: time.Now(), App: s.cluster.App, Tally: s.cluster.Crowd.Tally(),
		Renewals: status.Renewals, Reuses: status.Reuses, Revoked: status.Revocations,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Provider, p.History = s.mood, s.history
	p.Redis = state(s.redis.Running(), s.frozen["redis"])
	for _, r := range s.cluster.Replicas {
		p.Replicas = append(p.Replicas, replicaPicture{state(r.Running(), s.frozen[r.Name]), s.cut[r.Name]})
	}
	return p
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
