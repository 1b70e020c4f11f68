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

// notes gives a JSON body back, with who sent it and when.
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
		"note": json.RawMessage(body), "subject": c.grant.Subject, "received_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// stream sends an event a second until the caller goes away.
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

// echo sends every WebSocket message back. The Origin was judged by the proxy in front, which this
// API trusts; it is reached on loopback or a private network alone, and wants a token besides.
func echo(w http.ResponseWriter, r *http.Request, _ caller) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.CloseNow() }() // closed already when all went well
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
