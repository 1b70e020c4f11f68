package check

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/session/store"
)

// checkStore connects to the store without changing it.
func checkStore(ctx context.Context, cfg *config.Config) (found []Finding) {
	kind, _, _ := strings.Cut(cfg.Store.URL.Reveal(), ":")
	f := Finding{Area: "store", Name: kind, Status: OK, Detail: "opens and answers"}
	if path, ok := strings.CutPrefix(cfg.Store.URL.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return []Finding{checkFolder(f, filepath.Dir(path))}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seen, err := store.Inspect(ctx, cfg.Store.URL.Reveal())
	if err != nil {
		f.Status, f.Detail, f.Remedy = Wrong, err.Error(), server.StoreError(cfg.Store.URL, err).Remedy
	} else if seen.Layout != "" {
		f.Detail += "; " + seen.Layout
	}
	found = append(found, f)
	if err == nil && store.Shared(cfg.Store.URL.Reveal()) {
		found = append(found, checkClock(kind, seen.Ahead))
	}
	for _, w := range seen.Warnings {
		found = append(found, Finding{Area: "store", Name: kind, Status: Warning, Detail: w})
	}
	if err == nil && seen.Current {
		found = append(found, checkKeys(ctx, cfg)...)
	}
	return found
}

// checkKeys opens the store to find out whether session.keys open the stored sessions. The store
// must have this build's layout; opening it then changes nothing.
func checkKeys(ctx context.Context, cfg *config.Config) []Finding {
	f := Finding{Area: "store", Name: "session.keys", Status: OK, Detail: "open what is stored"}
	if path, ok := strings.CutPrefix(cfg.Store.URL.Reveal(), "sqlite:"); ok && len(cfg.Keys.Keys) == 0 {
		if _, err := os.Stat(path + ".key"); errors.Is(err, os.ErrNotExist) {
			f.Status, f.Detail = Wrong, "the database exists, but the key file "+path+".key is not there"
			f.Remedy = "put the key file back; if it is lost, so are the sessions: " +
				"move the database away, and end this client's sessions at the provider"
			return []Finding{f}
		}
	}
	sessions, closeAll, err := server.OpenSessions(ctx, cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		err = errors.Join(sessions.CheckKeys(ctx), closeAll())
	}
	if err != nil {
		f.Status, f.Detail = Wrong, err.Error()
		f.Remedy = "add the key that sealed the stored sessions to `session.keys`, after the new one; " +
			"if it is lost, empty the store: nobody can open its sessions"
		if start, ok := errors.AsType[*server.StartError](err); ok {
			f.Detail, f.Remedy = start.Err.Error(), start.Remedy
		}
	}
	return []Finding{f}
}

// checkFolder reports whether the database could be created in dir. It does not create it.
func checkFolder(f Finding, dir string) Finding {
	f.Detail = "the database does not exist yet; the first start creates it"
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		f.Status, f.Detail = Wrong, "its folder "+dir+" does not exist"
		f.Remedy = "create the folder, writable by the service alone"
		return f
	}
	probe, err := os.CreateTemp(dir, ".cloakroom-check-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		f.Status, f.Detail, f.Remedy = Wrong, err.Error(), server.StoreError(secret.New("sqlite:"), err).Remedy
	}
	return f
}
