// Package webdemo is the sample app of the demo: plain HTML, CSS and modules, with no build step.
package webdemo

import (
	"embed"
	"io/fs"
)

//go:embed files
var embedded embed.FS

// Files returns the app.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "files")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return files
}
