// Package sampleapp is the single-page app that the demo serves: plain HTML, CSS and modules,
// without a build step.
//
// It uses the service only through the endpoints for browsers.
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
