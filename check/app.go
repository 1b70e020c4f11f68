package check

import (
	"os"
	"path/filepath"
)

// checkApp looks for the app's index.html.
func checkApp(dir string) Finding {
	f := Finding{Area: "app", Name: dir, Status: OK, Detail: "index.html exists"}
	if dir == "" {
		f.Name, f.Status, f.Detail = "spa", Skipped, "no app is served (neither spa.dir nor spa.dev_server)"
		return f
	}
	if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
		f.Status, f.Detail = Wrong, err.Error()
		f.Remedy = "build the app, or set spa.dir to the folder with its index.html"
	}
	return f
}
