package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/site"
)

// addSeeds adds every file of testdata, and the example.
func addSeeds(f *testing.F) {
	f.Helper()
	example, err := os.ReadFile("../cloakroom.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	archives, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(complete(string(file.Data)))
			}
		}
	}
}

// FuzzParse: no file makes the reader panic, hang or show a value of the environment. A file
// without a fault has everything that package server relies on.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	const value = "from-the-environment"
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "${file:") {
			t.Skip() // the result would depend on the files of this machine
		}
		c, err := Parse("f", []byte(text), func(string) (string, bool) { return value, true })
		if err != nil {
			var faults *Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error %v is no *Faults", err)
			}
			if strings.Contains(err.Error(), value) && !strings.Contains(text, value) {
				t.Errorf("the message holds a value of the environment:\n%s", err)
			}
			return
		}
		for i, k := range c.Keys.Keys {
			if k == (keys.Key{}) {
				t.Errorf("key %d is zero", i)
			}
		}
		app, err := site.New(c.Site)
		if err != nil {
			t.Fatalf("public address: %v", err)
		}
		for _, p := range c.Providers {
			uri := app.RedirectURI(p.ID)
			if !strings.HasPrefix(uri, app.Origin()+"/") || p.ID == "" || p.Issuer == "" || p.ClientID == "" {
				t.Errorf("provider %+v, redirect URI %q", p, uri)
			}
		}
		for _, r := range c.Proxy.Routes {
			if r.Upstream == nil || r.Path == "" || len(r.Methods) == 0 || r.Timeout <= 0 {
				t.Errorf("route %+v", r)
			}
		}
	})
}

// FuzzSecretsStayHidden: no text before or after client_secret, valid or not, makes a message show
// its value (LG6).
func FuzzSecretsStayHidden(f *testing.F) {
	f.Add("server: {public_url: x}", "log: {level: x}")
	f.Add("server: {public_url: \"x", "log: \"}")
	f.Add("a: [", "]")
	f.Add("\t", "{")
	f.Add("? ", ": x")
	f.Add("a: |", "")
	const value = "Hunter2Hunter2"
	f.Fuzz(func(t *testing.T, before, behind string) {
		if strings.Contains(before+behind, "file:") {
			t.Skip()
		}
		text := before + "\nproviders:\n  - id: main\n    client_secret: " + value + "\n" + behind
		_, err := Parse("f", []byte(text), testEnv)
		if err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("the message holds the secret:\n%s", err)
		}
	})
}
