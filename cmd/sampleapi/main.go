// Command sampleapi runs the sample API alone, for docker-compose.yml: a real API behind cloakroom
// that introspects every access token at the provider. It is not part of the service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/demo/sampleapi"
	"github.com/cloakroom/cloakroom/secret"
)

func main() {
	healthy := flag.Bool("healthy", false, "check the health of the API that listens at LISTEN, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	run := serve
	if *healthy {
		run = check
	}
	if err := run(ctx, os.Getenv("LISTEN")); err != nil {
		fmt.Fprintln(os.Stderr, "sampleapi:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, listen string) error {
	srv := &http.Server{
		Addr:              listen,
		ReadHeaderTimeout: 10 * time.Second,
		Handler: sampleapi.New(sampleapi.Introspection{
			Endpoint:     os.Getenv("INTROSPECTION_ENDPOINT"),
			ClientID:     os.Getenv("CLIENT_ID"),
			ClientSecret: secret.New(os.Getenv("CLIENT_SECRET")),
		}),
	}
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // no need to wait for requests in progress
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listen on LISTEN=%q: %w", listen, err)
	}
	return nil
}

func check(ctx context.Context, listen string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // it is empty
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health check answered %s", resp.Status)
	}
	return nil
}
