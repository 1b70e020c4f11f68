// Package sampleapp is the single-page app that the demo serves: plain HTML, CSS and modules, with no
// build step of its own.
//
// It knows the service only as a browser does.
package sampleapp

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
