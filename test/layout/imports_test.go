package layout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rows is the table of packages: one imports only from rows above its own. What stands under test
// is free to import anything.
var rows = map[string]int{
	"secret": 0, "session/clock": 0, "session/storage": 0, "setting": 0, "outbound": 0, "fairqueue": 0, "resilience": 0,
	"problem": 1, "site": 1, "keys": 1, "identity": 1, "handlers/headers": 1,
	"session/local": 1, "session/store/layout": 1, "session/store/liveness": 1,
	"site/sitetest": 2, "provider": 2, "provider/jose": 2, "session": 2, "templates": 2, "requestlog": 2, "listen": 2,
	"session/login": 3, "session/renewal": 3, "session/revocation": 3, "proxy/reading": 3,
	"session/store": 3, "session/store/memory": 3, "session/store/sqlite": 3, "session/store/redis": 3,
	"session/store/postgres": 3, "session/store/storetest": 3,
	"handlers": 4, "handlers/admin": 4, "proxy": 4, "web": 4,
	"config": 5,
	"server": 6,
	".":      7, "check": 7, "demo": 7, "demo/devprovider": 7, "demo/sampleapi": 7, "demo/sampleapp": 7, "demo/servers": 7,
	"demo/cluster": 8, "cmd/cloakroom": 9, "cmd/sampleapi": 9,
}

// families are folders whose package may import those below it, in the same row.
var families = []string{"session/store", "provider", "demo"}

// seesConfig are the packages that may know the whole configuration. Everybody else is given the
// few values it needs.
var seesConfig = []string{".", "config", "server", "check", "demo", "cmd/cloakroom"}

// seesDevelopment are the packages that may know the development provider, and what it is made of.
func seesDevelopment(folder string) bool {
	return folder == "cmd/cloakroom" || folder == "cmd/sampleapi" || within(folder, "demo") || within(folder, "test")
}

// sealing is the package behind a keys.Codec. A second set-up of it would miss a change of keys.
const sealing = "github.com/gorilla/securecookie"

// judging is the package behind a jose.Verifier, without the rules that stand around it there.
const judging = "github.com/coreos/go-oidc"

func developmentOnly(imported string) bool {
	return within(imported, module+"/demo") || within(imported, "github.com/zitadel/oidc")
}

func within(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// imports says what is wrong with a file's imports. Tests may import anything: they show packages
// against real ones.
func imports(s source) []string {
	if s.test() || within(s.folder(), "test") {
		return nil
	}
	var found []string
	fault := func(imported, remedy string) {
		found = append(found, fmt.Sprintf("%s: %s must not import %s; %s", s.path, s.folder(), imported, remedy))
	}
	row, known := rows[s.folder()]
	if !known {
		found = append(found, fmt.Sprintf("%s: package %s is in no row; "+
			"give it one in test/layout, below all packages that it imports", s.path, s.folder()))
	}
	for _, spec := range s.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return append(found, fmt.Sprintf("%s: import %s: %v", s.path, spec.Path.Value, err))
		}
		if developmentOnly(imported) && !seesDevelopment(s.folder()) {
			fault(imported, "the running service never knows the development provider: only demo, the commands and tests do")
		}
		if imported == sealing && s.folder() != "keys" {
			fault(imported, "take a Codec of the keys.Ring that server hands out: its keys are replaced for everybody at once")
		}
		if within(imported, judging) && s.folder() != "provider/jose" {
			fault(imported, "ask a jose.Verifier: it refuses what go-oidc alone lets pass")
		}
		if imported == "net/http" && s.folder() == "provider/jose" {
			fault(imported, "tokens are judged without HTTP: let provider fetch what is needed")
		}
		target, own := strings.CutPrefix(imported, module+"/")
		if imported == module {
			target, own = ".", true
		}
		if !own {
			continue
		}
		targetRow, targetKnown := rows[target]
		switch {
		case target == "config" && !slices.Contains(seesConfig, s.folder()):
			fault(target, "take the few values you need in an Options, and let server fill them in")
		case within(target, "test"):
			fault(target, "what a test needs has no place in what it tests")
		case within(target, "handlers") && known && row <= rows["handlers"] && !within(s.folder(), "handlers"):
			fault(target, "it is the endpoints' own: return an error that says its problem.Code, or take a function")
		case known && targetKnown && targetRow >= row && !family(s.folder(), target):
			fault(target, fmt.Sprintf("it is in row %d, and %s in row %d: "+
				"let a package below both pass it in, or declare the interface you need", targetRow, s.folder(), row))
		}
	}
	return found
}

func family(importer, imported string) bool {
	return slices.Contains(families, importer) && within(imported, importer) && rows[importer] == rows[imported]
}
