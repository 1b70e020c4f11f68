package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// writeTimeout is how long a browser may take to read an event. One that reads nothing would
// otherwise hold its stream beyond the end of its session.
const writeTimeout = 2 * heartbeat

// An eventStream writes text/event-stream (HTML Living Standard §9.2).
type eventStream struct{ w *echo.Response }

func newEventStream(w *echo.Response) eventStream {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // or nginx buffers the stream
	w.WriteHeader(http.StatusOK)
	return eventStream{w}
}

// send writes an event. With id "", the browser keeps its last event id.
func (e eventStream) send(name, id string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	text := "event: " + name + "\ndata: " + string(b) + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	return e.write(text + "\n")
}

func (e eventStream) ended(reason session.Reason) error {
	return e.send("ended", endedID, map[string]string{"reason": reason.Public()})
}

// retry tells the browser how long to wait before it connects again.
func (e eventStream) retry(d time.Duration) error {
	return e.write(fmt.Sprintf("retry: %d\n\n", d.Milliseconds()))
}

func (e eventStream) comment() error { return e.write(":\n\n") }

func (e eventStream) write(s string) error {
	conn := http.NewResponseController(e.w.Unwrap()) // Echo's own Flush returns no error
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(s)); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	return conn.SetWriteDeadline(time.Time{}) // the connection may carry other requests after this one
}
