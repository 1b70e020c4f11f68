package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/session/store/layout"
)

// checkProvider reads the provider's metadata and compares it with what the configuration relies on.
func checkProvider(ctx context.Context, cfg *config.Config, pc config.Provider, version string) []Finding {
	row := func(s Status, detail, remedy string) Finding {
		return Finding{Area: "provider", Name: pc.ID, Status: s, Detail: detail, Remedy: remedy}
	}
	rp, err := server.ProviderConfig(cfg, pc)
	if err != nil {
		return []Finding{row(Wrong, err.Error(), "correct the file that the provider's settings name")}
	}
	p, err := provider.New(rp, provider.Options{Logger: slog.New(slog.DiscardHandler), Version: version})
	if err != nil {
		return []Finding{row(Wrong, err.Error(), "correct the provider's settings")}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := p.Metadata(ctx)
	if other := new(provider.IssuerError); errors.As(err, &other) {
		return []Finding{row(Wrong, err.Error(), issuerRemedy(other))}
	}
	if errors.Is(err, provider.ErrMisconfigured) {
		return []Finding{row(Wrong, err.Error(), "have the provider's metadata mended; they are at "+p.MetadataURL())}
	}
	if err != nil {
		return []Finding{row(Wrong, err.Error(), "open "+p.MetadataURL()+" from this host; check name, network and certificate (`ca_file` for a CA of your own), and name another address of the metadata in `metadata_url`")}
	}
	found := []Finding{row(OK, "metadata read from "+p.MetadataURL(), "")}
	if err := p.CheckUserinfo(m); err != nil {
		found = append(found, row(Wrong, err.Error(), "write `userinfo: auto`: no login can succeed otherwise"))
	}
	for _, f := range metadataGaps(pc, m) {
		found = append(found, row(Warning, f[0], f[1]))
	}
	return found
}

// issuerRemedy is what to write where the metadata are another issuer's. Following it ends the matter: it
// names the address that the metadata came from, since they need not be below the issuer that they name.
func issuerRemedy(e *provider.IssuerError) string {
	switch {
	case strings.ContainsAny(e.Announced, "{}"):
		return fmt.Sprintf("the provider has many tenants: write issuer: %.200q, list the ids of those whose users may log in under `tenants`, and write metadata_url: %.200q", e.Announced, e.From)
	case strings.TrimSuffix(e.Announced, "/")+"/.well-known/openid-configuration" == e.From:
		return fmt.Sprintf("write issuer: %.200q, if that is your provider", e.Announced)
	}
	return fmt.Sprintf("if that is your provider, write issuer: %.200q and metadata_url: %.200q; otherwise correct `issuer` or `metadata_url`", e.Announced, e.From)
}

// metadataGaps are the features that this provider does not announce: each a pair of what is
// missing and what follows from it.
func metadataGaps(pc config.Provider, m *provider.Metadata) [][2]string {
	var gaps [][2]string
	if m.RevocationEndpoint == "" {
		gaps = append(gaps, [2]string{"no revocation_endpoint", "tokens of ended sessions live on there until they run out; name the endpoint in `revocation_endpoint` if there is one, or keep their lifetimes short at the provider"})
	}
	if m.EndSessionEndpoint == "" && pc.EndSession == "auto" {
		gaps = append(gaps, [2]string{"no end_session_endpoint", "logout ends the session here; the provider's own session goes on. Name the provider's logout address in `end_session`, or write off"})
	}
	if !m.RefreshTokens() && pc.Refresh == "auto" {
		gaps = append(gaps, [2]string{"grant_types_supported lacks refresh_token", "sessions are not renewed: an API needs a new login when the access token has run out; write `refresh: off`, or have refresh tokens switched on at the provider"})
	}
	if len(m.ScopesSupported) > 0 {
		for _, s := range pc.Scopes {
			if !slices.Contains(m.ScopesSupported, s) {
				gaps = append(gaps, [2]string{fmt.Sprintf("scope %q is not in scopes_supported", s), "drop it from `scopes`, or have it added at the provider"})
			}
		}
	}
	return gaps
}

// checkStore opens the store as the service would.
func checkStore(ctx context.Context, cfg *config.Config) (found []Finding) {
	kind, _, _ := strings.Cut(cfg.Session.Store.Reveal(), ":")
	f := Finding{Area: "store", Name: kind, Status: OK, Detail: "opens and answers"}
	if path, ok := strings.CutPrefix(cfg.Session.Store.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return []Finding{checkFolder(f, filepath.Dir(path))}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seen, err := store.Inspect(ctx, cfg.Session.Store.Reveal())
	if err != nil {
		f.Status, f.Detail, f.Remedy = Wrong, err.Error(), "correct `session.store`, or start what it names"
		if _, ok := errors.AsType[*layout.MismatchError](err); ok {
			f.Remedy = "upgrade or roll back one layout version at a time; see docs/scaling.md"
		}
	} else if seen.Layout != "" {
		f.Detail += "; " + seen.Layout
	}
	found = append(found, f)
	if err == nil && store.Shared(cfg.Session.Store.Reveal()) {
		found = append(found, checkClock(kind, seen.Ahead))
	}
	for _, w := range seen.Warnings {
		found = append(found, Finding{Area: "store", Name: kind, Status: Warning, Detail: w})
	}
	return found
}

// checkFolder looks whether the database could be made, without making it.
func checkFolder(f Finding, dir string) Finding {
	f.Detail = "the database does not exist yet; it is made at the first start"
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		f.Status, f.Detail, f.Remedy = Wrong, "its folder "+dir+" does not exist", "make the folder, writable by the service alone"
	}
	return f
}

// checkApp looks for the app's start page.
func checkApp(dir string) Finding {
	f := Finding{Area: "app", Name: dir, Status: OK, Detail: "index.html is there"}
	if dir == "" {
		f.Name, f.Status, f.Detail = "spa", Skipped, "no app is served (neither spa.dir nor spa.dev_server)"
		return f
	}
	if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
		f.Status, f.Detail = Wrong, err.Error()
		f.Remedy = "build the app, or point spa.dir at the folder that holds its index.html"
	}
	return f
}
