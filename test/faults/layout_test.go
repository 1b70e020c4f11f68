package faults

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // to set the version in a file

	"github.com/cloakroom/cloakroom/test/servers"
)

// A layoutStore is a store whose layout version a test can read and set.
type layoutStore struct {
	open    func(t *testing.T) *world
	version func() int
	set     func(version int)
}

// Two builds whose layouts are one version apart share a store: the replicas are upgraded one after
// the other, and rolled back the same way, while users call, log in and log out. Nobody is logged
// out, no refresh token is used twice, and the tokens of all ended sessions are revoked, whichever
// build started and ended them. With a layout two versions ahead, a build does not start, and a
// running one stops serving.
func TestReplicasAreUpgradedAndRolledBackByOneLayoutVersion(t *testing.T) {
	for name, begin := range map[string]func(*testing.T) layoutStore{
		"redis": redisLayout, "postgres": postgresLayout, "sqlite": sqliteLayout,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			w := s.open(t)
			ours := s.version()
			w.runEverywhere(nextBinary)
			w.wantVersion(s, ours+1)
			w.runEverywhere(binary)
			w.wantVersion(s, ours+1)
			w.judge()
			w.wantRefused(s, ours+2)
			s.set(ours + 1)
		})
	}
}

// runEverywhere restarts one replica after the other with this program.
func (w *world) runEverywhere(program string) {
	w.t.Helper()
	for _, r := range w.Replicas {
		r.Stop()
		r.Binary = program
		w.start(r)
		time.Sleep(time.Second)
	}
	w.until("all to be well with "+filepath.Base(program), 30*time.Second, w.isWell)
}

func (w *world) wantVersion(s layoutStore, want int) {
	w.t.Helper()
	if got := s.version(); got != want {
		w.t.Errorf("the store has layout version %d, want %d", got, want)
	}
}

func (w *world) wantRefused(s layoutStore, version int) {
	w.t.Helper()
	s.set(version)
	running, stopped := w.Replicas[0], w.Replicas[1]
	w.until("a running replica to stop serving", 20*time.Second, func() bool { return !ready(running) })
	stopped.Stop()
	refused := make(chan error, 1)
	go func() { refused <- stopped.Start() }()
	want := fmt.Sprintf("the store has layout version %d", version)
	select {
	case err := <-refused:
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "run the newer build") {
			w.t.Errorf("start on a store of version %d: %v, want %q and a remedy", version, err, want)
		}
	case <-time.After(15 * time.Second):
		w.t.Errorf("a replica tries to start on a store of version %d", version)
	}
}

func redisLayout(t *testing.T) layoutStore {
	server := servers.Redis(t)
	return layoutStore{
		open: func(t *testing.T) *world {
			return newWorld(t, 30, server, server.Addr(), redisURL)
		},
		version: func() (n int) {
			_, _ = fmt.Sscan(server.CLI("get", "cloakroom:layout"), &n)
			return n
		},
		set: func(version int) { server.CLI("set", "cloakroom:layout", fmt.Sprint(version)) },
	}
}

func postgresLayout(t *testing.T) layoutStore {
	server := servers.Postgres(t)
	connected := func(do func(*pgx.Conn) error) {
		conn, err := pgx.Connect(t.Context(), server.URL())
		if err == nil {
			err = do(conn)
			_ = conn.Close(t.Context())
		}
		if err != nil {
			t.Error(err)
		}
	}
	return layoutStore{
		open: func(t *testing.T) *world {
			return newWorld(t, 30, server, fmt.Sprintf("127.0.0.1:%d", server.Port), postgresURL)
		},
		version: func() (n int) {
			connected(func(c *pgx.Conn) error {
				return c.QueryRow(t.Context(), "SELECT max(version) FROM cloakroom.schema_version").Scan(&n)
			})
			return n
		},
		set: func(version int) {
			connected(func(c *pgx.Conn) error {
				_, err := c.Exec(t.Context(),
					"INSERT INTO cloakroom.schema_version (version) VALUES ($1) ON CONFLICT DO NOTHING", version)
				return err
			})
		},
	}
}

// SQLite has two processes with one file, as when one machine is upgraded.
func sqliteLayout(t *testing.T) layoutStore {
	path := filepath.Join(servers.Folder(t), "sessions.db")
	file := func() *sql.DB {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	return layoutStore{
		open: func(t *testing.T) *world {
			return newWorldOf(t, 2, 10, nil, "127.0.0.1:1", func(string) string { return "sqlite:" + path })
		},
		version: func() (n int) {
			db := file()
			defer db.Close()
			if err := db.QueryRow("PRAGMA user_version").Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		},
		set: func(version int) {
			db := file()
			defer db.Close()
			if _, err := db.Exec(fmt.Sprintf("PRAGMA busy_timeout = 5000; PRAGMA user_version = %d", version)); err != nil {
				t.Error(err)
			}
		},
	}
}
