package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/cloakroom/cloakroom/server"
)

// inherited returns the sockets that systemd passed to this process (sd_listen_fds(3)). The socket
// unit names them public and admin; a single socket with another name is the public one. A missing
// socket is nil. Such sockets stay open while the service restarts, so that no connection is
// refused.
func inherited() (public, admin net.Listener, err error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the sockets of LISTEN_FDS: %w", err)
	}
	var rest []net.Listener
	for name, listeners := range named {
		for _, l := range listeners {
			switch {
			case name == "public" && public == nil:
				public = l
			case name == "admin" && admin == nil:
				admin = l
			default:
				rest = append(rest, l)
			}
		}
	}
	for _, l := range rest {
		switch {
		case len(rest) > 1 || l == nil:
			return nil, nil, errors.New("LISTEN_FDS has several sockets: " +
				"name them in the socket units, FileDescriptorName=public and admin")
		case public == nil:
			public = l
		}
	}
	return public, admin, nil
}

// systemd notifies the service manager of the service's state (sd_notify(3)). Without systemd, it
// does nothing.
func systemd(log *slog.Logger) server.Notify {
	notify := func(state string) func() {
		return func() {
			if _, err := daemon.SdNotify(false, state); err != nil {
				log.Warn("notify systemd", "state", state, "error", err)
			}
		}
	}
	return server.Notify{
		Ready: notify(daemon.SdNotifyReady), Stopping: notify(daemon.SdNotifyStopping),
	}
}
