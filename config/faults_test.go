package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the faults that are found into testdata/faults")

// literalSecret is every secret in the test files and in the environment.
const literalSecret = "hunter2"

// testEnv is an environment of a few variables, whose values hold the secret or a fault.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"CLIENT_SECRET": literalSecret,
		"CLOAKROOM_KEY": testKey,
		"BAD_KEY":       literalSecret,
		"BAD_DURATION":  literalSecret + " hours",
		"BAD_URL":       "https://" + literalSecret + "@app.example.com",
		"TWO_LINES":     literalSecret + "\nsecond",
		"EMPTY":         "",
		"NOT_UTF8":      literalSecret + "\xff",
		"ISSUER":        "https://id.example.com",
	}[name]
	return value, ok
}

const testKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 32 bytes

// complete appends the required blocks that a test file leaves out. Line numbers stay the same.
func complete(text string) string {
	for _, part := range []string{
		"server: {public_url: https://app.example.com}",
		"providers: [{id: main, issuer: https://id.example.com, client_id: app, " +
			"client_secret: '${CLIENT_SECRET}'}]",
	} {
		key, _, _ := strings.Cut(part, ":")
		if !regexp.MustCompile(`(?m)^` + key + `:`).MatchString(text) {
			text += part + "\n"
		}
	}
	return text
}

// TestEachFaultHasItsPositionLineAndRemedy compares whole messages. A file whose name begins with
// "raw" is not completed. No message may hold a secret, be it of the file or of the environment
// (LG6).
func TestEachFaultHasItsPositionLineAndRemedy(t *testing.T) {
	archives, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("archives = %v, %v", archives, err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(archive.Files); i++ {
			f := archive.Files[i]
			if !strings.HasSuffix(f.Name, ".yaml") {
				continue
			}
			got := faultsOf(t, f)
			want := slices.IndexFunc(archive.Files, func(w txtar.File) bool { return w.Name == f.Name+".want" })
			switch {
			case *update && want < 0:
				file := txtar.File{Name: f.Name + ".want", Data: []byte(got)}
				archive.Files = slices.Insert(archive.Files, i+1, file)
			case *update:
				archive.Files[want].Data = []byte(got)
			case want < 0:
				t.Errorf("%s: %s has no .want; run the test with -update", name, f.Name)
			default:
				if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
					t.Errorf("%s: %s: faults (-want +got):\n%s", name, f.Name, diff)
				}
			}
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func faultsOf(t *testing.T, f txtar.File) string {
	t.Helper()
	text := string(f.Data)
	if !strings.HasPrefix(f.Name, "raw") {
		text = complete(text)
	}
	_, err := Parse("cloakroom.yaml", []byte(text), testEnv)
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Errorf("%s: error is %v, want *Faults", f.Name, err)
		return ""
	}
	if strings.Contains(err.Error(), literalSecret) {
		t.Errorf("%s: the message holds the secret:\n%s", f.Name, err)
	}
	return err.Error() + "\n"
}
