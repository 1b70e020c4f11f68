package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/demo/cluster"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/test/servers"
)

// asReplica is the environment variable that makes this test binary a replica with an adjustable
// clock.
const asReplica = "CLOAKROOM_FAULTS_REPLICA"

// serveWithWrongClock is serve --config with a wrong clock. A file beside the configuration says
// how far it is ahead.
func serveWithWrongClock(file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg, err := config.Load(file)
	if err == nil {
		now := func() time.Time { return time.Now().Add(ahead(file)).Round(0) }
		var s *server.Server
		if s, err = server.New(ctx, cfg, server.Options{Logger: log, Now: now}); err == nil {
			err = s.Listen(ctx, nil, nil)
		}
		if err == nil {
			err = s.Run(ctx)
		}
	}
	if err != nil {
		log.Error("serve", "error", err)
		return 1
	}
	return 0
}

func clockFile(file string) string { return file + ".clock" }

func ahead(file string) time.Duration {
	text, err := os.ReadFile(clockFile(file))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	d, wrong := time.ParseDuration(string(text))
	if err := errors.Join(err, wrong); err != nil {
		panic(err)
	}
	return d
}

// setClocks sets the clocks of the replicas whose configurations are in dir.
func setClocks(t *testing.T, dir string, ahead ...time.Duration) {
	t.Helper()
	for i, d := range ahead {
		file := clockFile(filepath.Join(dir, fmt.Sprintf("replica-%d.yaml", i+1)))
		if err := os.WriteFile(file+".new", []byte(d.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

// wantClocks waits until each replica reports how far its clock is ahead, and is ready
// nevertheless.
func (w *world) wantClocks(ahead ...string) {
	w.t.Helper()
	for i, r := range w.Replicas {
		w.until(r.Name+" to say that its clock is "+ahead[i], 10*time.Second, func() bool {
			resp, err := http.Get("http://" + r.Admin + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(text), ahead[i])
		})
	}
}

// Users call all replicas in turn. One replica's clock is a day ahead, another's a day behind, and
// the third's jumps for longer than a sweeper's interval. Nobody is logged out, no login fails, and
// no token is renewed that replicas with correct clocks would not renew.
func TestReplicaWhoseClockIsWrongLogsNobodyOut(t *testing.T) {
	t.Setenv(asReplica, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	redis := servers.Redis(t)
	dir := servers.Folder(t)
	setClocks(t, dir, 0, day, -day)
	w := newWorldOf(t, 3, 60, redis, redis.Addr(), redisURL, func(o *cluster.Options) {
		o.Binary, o.Folder = self, dir
		o.AccessTokenLifetime, o.IdleTimeout, o.Stay = 5*time.Minute, 30*time.Second, 10*time.Second
	})
	w.wantClocks(`"clock":"ok"`, "24h0m0s ahead", "24h0m0s behind")
	for _, jump := range []time.Duration{3 * time.Minute, day, -day} {
		setClocks(t, dir, jump)
		time.Sleep(7 * time.Second)
	}
	setClocks(t, dir, 0, -5*time.Minute, 5*time.Minute)
	w.wantClocks(`"clock":"ok"`, "5m0s behind", "5m0s ahead")
	failed := w.Crowd.Tally().LoginsFailed // before judge, which interrupts logins in progress
	w.judge()
	if p := w.Provider(); p.Renewals != 0 {
		t.Errorf("renewals of tokens that last five minutes = %d", p.Renewals)
	}
	if failed != 0 {
		t.Errorf("logins that failed = %d", failed)
	}
}
