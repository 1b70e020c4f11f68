package sampleapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	maxNote    = 64 << 10
	maxMessage = 64 << 10
)

// notes returns the JSON body, with its sender and time.
func notes(w http.ResponseWriter, r *http.Request, c caller) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNote))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "a note has at most 64 KiB"})
		return
	}
	if err != nil || !json.Valid(body) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "a note is JSON"})
		return
	}
	writeJSON(w, http.StatusCreated, map[string]any{
		"note": json.RawMessage(body), "subject": c.grant.Subject,
		"received_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// stream sends one event per second until the caller disconnects.
func stream(w http.ResponseWriter, r *http.Request, _ caller) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		_, err := fmt.Fprintf(w, "event: tick\ndata: {\"n\":%d,\"time\":%q}\n\n", n, time.Now().UTC().Format(time.RFC3339))
		if err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// echo sends every WebSocket message back. It does not check Origin: the proxy in front has done
// so. The API is reachable only on loopback or a private network, and requires a token.
func echo(w http.ResponseWriter, r *http.Request, _ caller) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.CloseNow() }() // does nothing after a normal close
	c.SetReadLimit(maxMessage)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
