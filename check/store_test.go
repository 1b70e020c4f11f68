package check_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/check"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/test/servers"
)

// storeFindings are the rows about the store with this URL.
func storeFindings(t *testing.T, url string) (rows []check.Finding) {
	t.Helper()
	return findings(t, "store", url)
}

// findings are the rows of one area, with the store of this URL.
func findings(t *testing.T, area, url string) (rows []check.Finding) {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(`
server: {public_url: "http://localhost:8080"}
session: {store: "`+url+`", keys: ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]}
providers: [{id: main, issuer: "http://127.0.0.1:1", client_id: c, client_secret: s}]
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range check.Run(t.Context(), cfg, check.Options{}).Findings {
		if f.Area == area {
			rows = append(rows, f)
		}
	}
	return rows
}

func wantFindings(t *testing.T, rows []check.Finding, want ...string) {
	t.Helper()
	if len(rows) != len(want) {
		t.Fatalf("findings = %+v, want %d", rows, len(want))
	}
	for i, w := range want {
		status, text, _ := strings.Cut(w, " ")
		if string(rows[i].Status) != status || !strings.Contains(rows[i].Detail, text) {
			t.Errorf("finding %d = %+v, want %s", i, rows[i], w)
		}
	}
}

func TestSettingsThatLoseSessionsAreFound(t *testing.T) {
	wantFindings(t, storeFindings(t, servers.Redis(t).URL()), "ok answers")
	wantFindings(t, storeFindings(t, servers.Redis(t, "maxmemory-policy allkeys-lru", "appendonly no").URL()),
		"ok answers", "warning set noeviction", "warning set appendonly yes")
	used := servers.Redis(t)
	for version, want := range map[string][]string{
		"1": {"ok layout version 1", "ok open what is stored"},
		"2": {"ok of a newer build", "ok open what is stored"},
		"3": {"wrong run the newer build"},
	} {
		used.CLI("set", "cloakroom:layout", version)
		wantFindings(t, storeFindings(t, used.URL()), want...)
	}
	down := servers.Redis(t)
	down.Kill()
	wantFindings(t, storeFindings(t, down.URL()), "wrong refused")

	pg := servers.Postgres(t)
	for range 2 { // a check does not create the schema
		wantFindings(t, storeFindings(t, pg.URL()), "ok answers", "warning is made at the first start")
	}
	wantFindings(t, storeFindings(t, servers.Postgres(t, "fsync=off").URL()),
		"ok answers", "warning set both on", "warning first start")
	pg.Stop()
	wantFindings(t, storeFindings(t, pg.URL()), "wrong refused")
}

func TestClockIsComparedWithTheServers(t *testing.T) {
	wantFindings(t, findings(t, "clock", servers.Redis(t).URL()), "ok redis")
	wantFindings(t, findings(t, "clock", servers.Postgres(t).URL()), "ok postgres")
	wantFindings(t, findings(t, "clock", "memory:"))
}
