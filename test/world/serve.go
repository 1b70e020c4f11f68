package world

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/server"
)

// Parse reads the text of a configuration file, and fails the test if it has a fault.
func Parse(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Serve runs a server until the test ends, and fails the test if it does not stop cleanly. Without
// a Logger in o its log is discarded.
func Serve(t testing.TB, cfg *config.Config, o server.Options) *server.Server {
	t.Helper()
	s, stop := launch(t, cfg, o)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server did not stop cleanly: %v", err)
		}
	})
	return s
}

func launch(t testing.TB, cfg *config.Config, o server.Options) (s *server.Server, stop func() error) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.New(ctx, cfg, o)
	if err == nil {
		err = s.Listen(ctx, nil, nil)
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() error {
		cancel()
		return <-ended
	}
}
