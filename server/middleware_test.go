package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was written since the last call.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// Whatever a handler does, its request gets an id and one line in the log, and the process goes on.
// The connection is cut only if the handler aborts its answer on purpose.
func TestEveryRequestIsAnsweredAndLoggedOnce(t *testing.T) {
	var log lines
	s := bare(t, slog.New(slog.NewTextHandler(&log, nil)))
	origin := listening(t, s, composed(s, func(e *echo.Echo) {
		e.GET("/fine", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
		e.GET("/error", func(echo.Context) error { return errors.New("disk on fire") })
		e.GET("/panic", func(echo.Context) error { panic("boom") })
		e.GET("/panic-with-error", func(echo.Context) error { panic(fmt.Errorf("load: %w", http.ErrAbortHandler)) })
		e.GET("/cut", func(echo.Context) error { panic(http.ErrAbortHandler) })
		broken, answer := errors.New("broken page"), e.HTTPErrorHandler
		e.GET("/broken-page", func(echo.Context) error { return broken })
		e.HTTPErrorHandler = func(err error, c echo.Context) {
			if errors.Is(err, broken) {
				panic("template")
			}
			answer(err, c)
		}
	}))
	for path, want := range map[string]string{
		"/fine":  `level=INFO msg=request request_id=ID method=GET path=/fine status=204`,
		"/error": `level=ERROR … request_id=ID method=GET path=/error status=500 … code=internal_error error="disk on fire"`,
		"/panic": `level=ERROR … request_id=ID method=GET path=/panic status=500 … code=internal_error error="panic: boom"`,
		"/panic-with-error": `level=ERROR … request_id=ID method=GET path=/panic-with-error status=500 … ` +
			`code=internal_error error="panic: load: net/http: abort Handler"`,
		"/broken-page": `level=ERROR … request_id=ID method=GET path=/broken-page status=500 … code=internal_error error="panic: template"`,
		"/missing":     `level=INFO msg=request request_id=ID method=GET path=/missing status=404 … code=not_found`,
		"/cut":         "",
	} {
		id := ""
		res, err := http.Get(origin + path)
		if err == nil {
			id = res.Header.Get("X-Request-Id")
			_ = res.Body.Close()
		}
		if cut := path == "/cut"; cut != (err != nil) || !cut && id == "" {
			t.Errorf("%s: error %v, request id %q", path, err, id)
		}
		logged := log.take()
		for want := range strings.SplitSeq(strings.ReplaceAll(want, "request_id=ID", "request_id="+id), " … ") {
			if !strings.Contains(logged, want) {
				t.Errorf("%s logs %q, want %q", path, logged, want)
			}
		}
		if got, want := strings.Count(logged, "\n"), min(len(want), 1); got != want {
			t.Errorf("%s logs %d lines, want %d: %s", path, got, want, logged)
		}
	}
}
