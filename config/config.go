// Package config reads the configuration file into typed values.
//
// Every fault of the file is found in one reading, and each is told with its place, the line and a
// remedy. What comes out are values only: nothing is opened, dialled or looked up, so a file that
// reads without a fault may still name a provider that is down. A line that is quoted in a fault can
// hold a secret; source.go and mask.go keep it out of the message.
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
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
	"github.com/cloakroom/cloakroom/web"
)

// maxFile bounds the configuration file and each file that a ${file:…} names.
const maxFile = 1 << 20

// Config is the whole file, defaults filled in: the settings of each package, in that package's own
// form. It is not changed after Parse has returned it.
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

	// Warnings are what is allowed and yet seldom meant, each with what to do: for the log at start, and
	// for check. They hold no secret.
	Warnings []string
}

// Load reads the file at path, with the process's environment. The error is *Faults when the file
// could be read but is wrong.
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

// Parse reads the text of a configuration file; name is what faults call it. ${NAME} is asked of env,
// ${file:PATH} of the file system, relative paths from the working directory. The error is always
// *Faults.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	src, root := readYAML(data)
	r := &reader{src: src, env: env, places: make(map[string]place), meant: make(map[string]bool)}
	c := defaults()
	if len(src.faults) == 0 {
		r.read(c, root)
	}
	if faults := append(src.faults, r.faults...); len(faults) > 0 {
		return nil, newFaults(name, src, faults)
	}
	c.Warnings = r.warnings
	return c, nil
}
