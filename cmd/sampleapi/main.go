// Command sampleapi is the sample API on its own, for docker-compose.yml: something real behind
// cloakroom that asks the provider about every access token. It is no part of the service.
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
	healthy := flag.Bool("healthy", false, "ask the API that runs beside this whether it is well, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	act := serve
	if *healthy {
		act = check
	}
	if err := act(ctx, os.Getenv("LISTEN")); err != nil {
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
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // nothing here is worth waiting for
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
