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

// inherited are the sockets that systemd opened for this process (sd_listen_fds(3)): those that the socket
// unit calls public and admin; one without such a name is the public one. nil where there is none. A socket
// that is systemd's stays open while the service restarts, so nobody is refused.
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
			return nil, nil, errors.New("several sockets were handed over in LISTEN_FDS: name them in the socket units, FileDescriptorName=public and admin")
		case public == nil:
			public = l
		}
	}
	return public, admin, nil
}

// systemd tells the service manager how it stands (sd_notify(3)); elsewhere it does nothing.
func systemd(log *slog.Logger) server.Notify {
	say := func(state string) func() {
		return func() {
			if _, err := daemon.SdNotify(false, state); err != nil {
				log.Warn("systemd can't be told", "state", state, "error", err)
			}
		}
	}
	return server.Notify{Ready: say(daemon.SdNotifyReady), Stopping: say(daemon.SdNotifyStopping)}
}
