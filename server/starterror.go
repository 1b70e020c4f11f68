package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

// A StartError says why a server could not start, and what an operator can do about it.
type StartError struct {
	Err    error
	Remedy string
}

// Error returns both.
func (e *StartError) Error() string { return e.Err.Error() + "\n  → " + e.Remedy }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ListenError returns the StartError of a listener that could not be opened. key is the setting,
// such as "server.listen", that holds the address.
func ListenError(key, address string, err error) *StartError {
	e := &StartError{
		fmt.Errorf("listen on %s %q: %w", key, address, err),
		"name an address of this machine and a port in `" + key + "`, such as \":8080\"",
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Remedy = "stop the program that has this port (`ss -ltnp` names it), or name another in `" + key + "`"
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = "ports below 1024 need CAP_NET_BIND_SERVICE; name a higher one in `" + key +
			"`, or have systemd open it (deploy/systemd)"
	}
	return e
}

// StoreError returns the StartError of a store that could not be opened.
func StoreError(url secret.Value, err error) *StartError {
	e := &StartError{fmt.Errorf("open session.store: %w", err), "correct `session.store`, or start what it names"}
	if _, ok := errors.AsType[*layout.MismatchError](err); ok {
		e.Remedy = "upgrade or roll back one layout version at a time; see docs/scaling.md"
	} else if strings.HasPrefix(url.Reveal(), "sqlite:") {
		e.Remedy = "the folder must be there, and the user that runs cloakroom must be able to write to it " +
			"and to the files in it"
	}
	return e
}

// Try builds what cfg describes, as New does, but with a memory store, and closes it at once. It
// sends no requests. The error is New's.
func Try(ctx context.Context, cfg *config.Config) error {
	c := *cfg
	c.Store.URL = secret.New("memory:")
	s, err := New(ctx, &c, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return s.close()
}
