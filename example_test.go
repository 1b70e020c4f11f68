package cloakroom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/memory"
)

// settings returns the configuration of the examples. A program may also call config.Load.
func settings() *config.Config {
	c := config.New()
	c.Site.PublicURL = &url.URL{Scheme: "http", Host: "localhost:3000"}
	c.Store.URL = secret.New("memory:")
	c.Providers = []provider.Config{{
		ID: "main", Issuer: "http://localhost:1", ClientID: "shop", ClientSecret: secret.New("from a vault"),
	}}
	return c
}

// quiet is a logger that discards everything.
var quiet = slog.New(slog.DiscardHandler)

// A program with its own handlers, in net/http.
func Example_netHTTP() {
	bff, err := cloakroom.New(settings(), cloakroom.Options{Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	defer bff.Close()
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		s, err := bff.Session(r)
		if err != nil {
			bff.Fail(w, r, err)
			return
		}
		fmt.Fprint(w, "hello ", s.Subject)
	})
	handler := bff.Middleware(http.DefaultServeMux) // http.ListenAndServe(":3000", handler)

	show(handler, "/bff/user")
	show(handler, "/hello")
	// Output:
	// /bff/user: 401 not_authenticated, log in at /bff/login
	// /hello: 401 not_authenticated, log in at /bff/login
}

// A program with its own routes, in Echo.
func Example_echo() {
	bff, err := cloakroom.New(settings(), cloakroom.Options{Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	defer bff.Close()
	e := echo.New()
	e.Use(bff.EchoMiddleware)
	e.GET("/hello", func(c echo.Context) error {
		s, err := bff.Session(c.Request())
		if err != nil {
			bff.Fail(c.Response(), c.Request(), err)
			return nil
		}
		return c.String(http.StatusOK, "hello "+s.Subject)
	}) // e.Start(":3000")

	show(e, "/bff/user")
	show(e, "/hello")
	// Output:
	// /bff/user: 401 not_authenticated, log in at /bff/login
	// /hello: 401 not_authenticated, log in at /bff/login
}

// A program that shuts down gracefully. It is only compiled, because it runs until a signal.
func Example_shutdown() {
	bff, err := cloakroom.New(settings(), cloakroom.Options{Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	handler := bff.Middleware(http.DefaultServeMux)

	srv := &http.Server{Addr: ":3000", Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	srv.RegisterOnShutdown(bff.Drain)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() { stopped <- srv.Shutdown(context.Background()) })
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	err = errors.Join(<-stopped, bff.Close()) // in this order

	fmt.Println(err)
}

// counted is an example of a program's own store. It wraps one of cloakroom's and counts its reads.
// The parts of a store may be of different kinds. Package storetest tests a store.
type counted struct {
	storage.Records
	reads atomic.Int64
}

// Load implements storage.Records.
func (c *counted) Load(ctx context.Context, name string) (storage.Entry, error) {
	c.reads.Add(1)
	return c.Records.Load(ctx, name)
}

// A program that keeps sessions in its own store.
func Example_store() {
	own := memory.New().Parts()
	records := &counted{Records: own.Records}
	own.Records = records

	cfg := settings()
	cfg.Keys.Keys = []keys.Key{keys.Generate()} // a real program keeps the key, to open the stored sessions again
	bff, err := cloakroom.New(cfg, cloakroom.Options{Logger: quiet, Store: own})
	if err != nil {
		log.Fatal(err)
	}
	defer bff.Close()

	show(bff.Handler(), "/bff/user")
	fmt.Println("reads:", records.reads.Load()) // a request without a signed cookie reads nothing
	// Output:
	// /bff/user: 401 not_authenticated, log in at /bff/login
	// reads: 0
}

// pages is a folder with the program's own pages, as an embed.FS would be. The built-in pages
// replace missing ones.
var pages = fstest.MapFS{"error.html": {Data: []byte(
	`{{define "title"}}Shop{{end}}{{define "main"}}<p>The shop can't show this: {{.Page.Code}}.</p>{{end}}`,
)}}

// A program with its own error pages.
func Example_pages() {
	cfg := settings()
	cfg.Pages.FS = pages
	bff, err := cloakroom.New(cfg, cloakroom.Options{Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	defer bff.Close()

	r := httptest.NewRequest(http.MethodGet, "http://localhost:3000/bff/nothing", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	bff.Handler().ServeHTTP(w, r)
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "<p>The shop can't show this: not_found.</p>"))
	// Output:
	// 404 true
}

// A program that decides who may log in, and which claims its app gets.
func Example_hooks() {
	bff, err := cloakroom.New(settings(), cloakroom.Options{
		Logger: quiet,
		Admit: func(_ context.Context, u cloakroom.User) error {
			var claims struct {
				Email string
			}
			if err := u.Claims(&claims); err != nil {
				return err // the login fails, and the log says why
			}
			if !strings.HasSuffix(claims.Email, "@example.com") {
				return cloakroom.Refuse("This shop is for staff.")
			}
			return nil
		},
		Claims: func(_ context.Context, s *cloakroom.Session, claims map[string]any) error {
			claims["roles"] = []string{"reader"} // a real program looks up s.Subject in its database
			delete(claims, "email")
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bff.Close())
	// Output: <nil>
}

// show sends a handler a request as a script of the app does, and prints the response.
func show(h http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:3000"+path, nil)
	r.Header.Set("X-CSRF", "1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Printf("%s: %d%s\n", path, w.Code, problemText(w))
}

// problemText returns the parts of a problem document that show prints.
func problemText(w *httptest.ResponseRecorder) string {
	var problem struct {
		Code     string
		LoginURL string `json:"login_url"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		return " " + w.Body.String()
	}
	return " " + problem.Code + ", log in at " + problem.LoginURL
}
