package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The released binary includes the demo. The image is for production and does not.
func TestImageIsBuiltWithoutTheDemo(t *testing.T) {
	build := regexp.MustCompile(`(?m)^.*go build .*\./cmd/cloakroom$`)
	for file, want := range map[string]bool{"../Dockerfile": true, "../Makefile": false} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.ReplaceAll(string(text), "$(GO)", "go"))
		lines := build.FindAllString(string(text), -1)
		if len(lines) != 1 {
			t.Fatalf("%s builds cloakroom %d times, want once: %q", file, len(lines), lines)
		}
		if got := strings.Contains(lines[0], "-tags nodemo "); got != want {
			t.Errorf("%s builds with -tags nodemo: %t, want %t: %s", file, got, want, lines[0])
		}
	}
}

// Every file that is compiled must be sent to Docker: one that .dockerignore excludes breaks only
// the build of the image.
func TestDockerIsSentWhatIsCompiled(t *testing.T) {
	sent, files := readIgnored(t), compiled(t)
	for _, name := range files {
		if !sent(name) {
			t.Errorf("%s is compiled, and .dockerignore keeps it from Docker", name)
		}
	}
	if len(files) < 50 {
		t.Errorf("read %d files that are compiled; is this the module?", len(files))
	}
	for _, name := range []string{"README.md", "client/node_modules/x/x.go", "server/server_test.go"} {
		if sent(name) {
			t.Errorf("%s is sent to Docker, which needs it for nothing", name)
		}
	}
}

// compiled returns the module's files that its commands are built from, including embedded ones.
func compiled(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "nodemo", "-json=Dir,Module,GoFiles,EmbedFiles", "./cmd/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var files []string
	for list := json.NewDecoder(bytes.NewReader(out)); list.More(); {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := list.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, name := range append(p.GoFiles, p.EmbedFiles...) {
			files = append(files, relative(t, filepath.Join(p.Dir, name)))
		}
	}
	return files
}

// relative returns a file's path relative to the module, with slashes.
func relative(t *testing.T, file string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Rel(root, file)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(name)
}

// readIgnored reads .dockerignore and returns a function that reports whether Docker is sent a
// file: the last pattern that matches the file or a folder above it decides.
func readIgnored(t *testing.T) (sent func(name string) bool) {
	t.Helper()
	f, err := os.Open("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	type rule struct {
		pattern *regexp.Regexp
		send    bool
	}
	var rules []rule
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if lines.Text() == "" || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		glob, send := strings.CutPrefix(lines.Text(), "!")
		glob = strings.NewReplacer(".", `\.`, "**/", "(?:.*/)?", "**", ".*", "*", "[^/]*").Replace(glob)
		rules = append(rules, rule{regexp.MustCompile("^" + glob + "(?:/.*)?$"), send})
	}
	return func(name string) bool {
		sent := true
		for _, r := range rules {
			if r.pattern.MatchString(name) {
				sent = r.send
			}
		}
		return sent
	}
}
