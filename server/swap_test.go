package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// composed returns the server's own composition, with its middleware, around endpoints of a test.
func composed(s *Server, mount func(e *echo.Echo)) http.Handler {
	e := newEcho(handlers.NewErrorWriter(handlers.ErrorOptions{Logger: s.log}))
	e.Use(s.commonMiddleware()...)
	mount(e)
	return e
}

// listening serves h as a listener of the server does.
func listening(t *testing.T, s *Server, h http.Handler) (origin string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := s.httpServer(h)
	served := make(chan error, 1)
	go func() { served <- s.serve(srv, l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func bare(t *testing.T, log *slog.Logger) *Server {
	t.Helper()
	return &Server{
		site: sitetest.New(t, "http://localhost", site.Options{}), log: log,
		limits: listen.NewLimits(listen.Defaults(), context.Background(), nil),
	}
}

// While handlers are swapped as fast as possible, one of them serves each request as a whole:
// middleware, router and answer. No request is lost.
func TestSwapUnderLoadServesEachRequestWhole(t *testing.T) {
	s := bare(t, slog.New(slog.DiscardHandler))
	version := func(n int) http.Handler {
		mark := fmt.Sprint(n)
		return composed(s, func(e *echo.Echo) {
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					c.Response().Header().Set("Middleware", mark)
					return next(c)
				}
			})
			e.POST("/"+mark, func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }) // a table of its own
			e.Any("/*", func(c echo.Context) error {
				for range 5 {
					_, _ = io.WriteString(c.Response(), mark+" ")
					c.Response().Flush()
					time.Sleep(time.Millisecond)
				}
				return nil
			})
		})
	}
	var public swappable
	public.swap(version(0))
	origin := listening(t, s, &public)

	var over atomic.Bool
	var seen sync.Map
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for !over.Load() {
				mark, err := wholeAnswer(t.Context(), origin)
				if err != nil {
					t.Error(err)
					return
				}
				seen.Store(mark, true)
			}
		})
	}
	for n := 1; n <= 200; n++ {
		public.swap(version(n))
		time.Sleep(2 * time.Millisecond)
	}
	over.Store(true)
	callers.Wait()
	versions := 0
	seen.Range(func(any, any) bool { versions++; return true })
	if versions < 10 {
		t.Errorf("%d versions were seen, want many", versions)
	}
}

// wholeAnswer sends one request and returns the version that made the whole answer.
func wholeAnswer(ctx context.Context, origin string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/x", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	mark := res.Header.Get("Middleware")
	if want := strings.Repeat(mark+" ", 5); res.StatusCode != http.StatusOK || mark == "" || string(body) != want {
		return "", fmt.Errorf("%d, middleware of %q, body %q: not one version's", res.StatusCode, mark, body)
	}
	return mark, nil
}

// A request under way when its handler is swapped ends with the old handler; the next one gets the
// new.
func TestRequestUnderWayOutlivesASwap(t *testing.T) {
	s := bare(t, slog.New(slog.DiscardHandler))
	begun, swapped := make(chan struct{}), make(chan struct{})
	var public swappable
	public.swap(composed(s, func(e *echo.Echo) {
		e.GET("/x", func(c echo.Context) error {
			close(begun)
			<-swapped
			return c.String(http.StatusOK, "old")
		})
	}))
	origin := listening(t, s, &public)
	answers := make(chan string, 1)
	go func() { answers <- get(origin + "/x") }()
	<-begun
	public.swap(composed(s, func(e *echo.Echo) {
		e.GET("/x", func(c echo.Context) error { return c.String(http.StatusOK, "new") })
	}))
	if got := get(origin + "/x"); got != "new" {
		t.Errorf("the next request got %q, want new", got)
	}
	close(swapped)
	if got := <-answers; got != "old" {
		t.Errorf("the request under way got %q, want old", got)
	}
}

func get(target string) string {
	res, err := http.Get(target)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
