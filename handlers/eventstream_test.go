package handlers

import (
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// The stream of a browser that requests events and reads none is closed after writeTimeout.
func TestListenerThatReadsNothingIsDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		browser, conn := net.Pipe()
		defer browser.Close()
		began, gone := time.Now(), make(chan error, 1)
		e := echo.New()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gone <- newEventStream(e.NewContext(r, w).Response()).comment()
		})}
		go func() { _ = srv.Serve(&oneConn{conn: conn}) }() // ends with the listener
		const request = "GET /bff/events HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
		if _, err := io.WriteString(browser, request); err != nil {
			t.Fatal(err)
		}
		if err := <-gone; err == nil {
			t.Error("events were sent to a browser that reads none")
		}
		if took := time.Since(began); took > writeTimeout {
			t.Errorf("the stream was closed after %v, want %v", took, writeTimeout)
		}
		_ = srv.Close()
	})
}

// oneConn is a listener with one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	conn := l.conn
	if l.conn = nil; conn == nil {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
