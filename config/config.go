// Package config reads the configuration file into typed values.
//
// It finds every fault of the file at once, and reports each with its position, the quoted line and
// a remedy. The result is values only. Nothing is opened, dialled or looked up, so a file without a
// fault may still name a provider that is down. A line that is quoted in a fault can hold a secret;
// source.go and mask.go keep it out of the message.
package config

import (
	"fmt"
	"io"
	"os"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/handlers/admin"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/listen"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store"
	"github.com/cloakroom/cloakroom/setting"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
	"github.com/cloakroom/cloakroom/web"
)

// maxFile bounds the configuration file and each file that a ${file:…} names.
const maxFile = 1 << 20

// Config is the whole file with its defaults: the options of each package. It does not change after
// Parse has returned it. A program that makes its own begins with New.
type Config struct {
	Site       site.Options
	Listen     listen.Options
	Admin      admin.Options
	Log        requestlog.Options
	Store      store.Options
	Keys       keys.Options
	Session    session.Options
	Renewal    renewal.Options
	Revocation revocation.Options
	Providers  []provider.Config // at least one, in the operator's order
	Proxy      proxy.Options
	Handlers   handlers.Options
	SPA        web.Options
	Pages      templates.Options

	// Warnings describe settings that are allowed but probably mistakes, each with its remedy. The
	// service logs them at its start, and the check command prints them. They hold no secret.
	Warnings []string
}

// Load reads the file at path with the environment of this process. The error is a *Faults if the
// file could be read but is not valid.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads the text of a configuration file. Faults call the file by name. The function env
// looks up ${NAME}; ${file:PATH} is read from the file system, where a relative path starts at the
// working directory. The error is always a *Faults.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	src, root := readYAML(data)
	r := &reader{src: src, env: env, entries: make(map[string]entry), misspelt: make(map[string]bool)}
	c := New()
	if len(src.faults) == 0 {
		r.read(c, root)
	}
	if faults := append(src.faults, r.faults...); len(faults) > 0 {
		return nil, newFaults(name, src, faults)
	}
	c.Warnings = r.warnings
	return c, nil
}

// Complete checks a Config that a program has made, by all the rules that hold for a file. It
// returns a copy in which the zero values of fields that must not be zero are replaced by their
// defaults; where zero has a meaning, such as none or unlimited, it keeps that. The error lists every
// fault, with keys as in a file: session.lifetime is Config.Session.Lifetime.
func (c *Config) Complete() (*Config, error) {
	done := *c
	setting.Fill(schema(&done), schema(New()))
	err := setting.Verify(schema(&done), schema(New()), func(all setting.Check) { done.check(all.State) })
	if err != nil {
		return nil, fmt.Errorf("the configuration is not valid:\n%w", err)
	}
	return &done, nil
}
