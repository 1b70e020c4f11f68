package postgres_test

import (
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/store/postgres"
)

func TestBadURLsAreRefusedWithoutTheirSecrets(t *testing.T) {
	for _, bad := range []string{
		"postgres://u:s3cr%et@host/db", "postgres://u:s3cret@host/db?sslmode=s3cret",
		"postgres://u:s3cret@ho st/db", "mysql://u:s3cret@host/db",
		"postgres://u:s3cret@host/db?schema=S3cret-x", "postgres://u:s3cret@host:port/db",
		"postgres://u:s3cret@host/db?pool_max_conns=s3cret",
		"postgres://u:s3cret@host/db?sslmode=verify-full&sslrootcert=/s3cret",
	} {
		s, err := postgres.Open(t.Context(), bad)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s is taken", bad)
			continue
		}
		if strings.Contains(strings.ToLower(err.Error()), "s3cr") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}

// The user secret exists and has a password.
func refusedIsTold(t *testing.T, g *group) {
	g.connect(t, "public").do("CREATE USER secret PASSWORD 'r1ght'")
	for name, tt := range map[string]struct{ old, put, want string }{
		"password":  {"cloakroom@", "secret:s3cret@", "pg_hba.conf"},
		"user":      {"cloakroom@", "nobody:s3cret@", "pg_hba.conf"},
		"database":  {"cloakroom@", "cloakroom:s3cret@", "create the database"},
		"parameter": {"sslmode=disable", "sslmode=disable&s3cret=s3cret", "parameters"},
	} {
		t.Run("wrong "+name, func(t *testing.T) {
			url := strings.Replace(g.URL(), tt.old, tt.put, 1)
			if name == "database" {
				url = strings.Replace(url, "/postgres?", "/nowhere?", 1)
			}
			s, err := postgres.Open(t.Context(), url)
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open: %v, want what to do: %q", err, tt.want)
			}
			if name != "parameter" && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}
