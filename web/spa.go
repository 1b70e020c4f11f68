// Package web serves the operator's single-page app from a folder, from an embedded file system, or
// through a development server.
//
// It serves only files inside the folder: os.Root refuses paths and symbolic links that lead
// outside. A navigation to a path without a file gets index.html, so that the app can route it.
//
// It knows nothing of sessions, endpoints and proxied routes: package server gives it the requests
// that nobody else answers.
package web

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/cloakroom/cloakroom/outbound"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/site"
)

// defaultCSP forbids plugins, framing, and a base URL of another origin. The operator can set a
// stricter policy (spa.csp).
const defaultCSP = "base-uri 'self'; object-src 'none'; frame-ancestors 'none'"

// Options configure a SPA. It uses the first of FS, DevServer and Dir that is set. Without any,
// every path is 404.
type Options struct {
	FS        fs.FS
	DevServer *url.URL
	Dir       string
	CSP       string                                          // of HTML; "" for the default
	Site      *site.Site                                      // required with DevServer, which must not get its cookies
	Fail      func(http.ResponseWriter, *http.Request, error) // answers an error; required
}

// A SPA is the http.Handler of the app.
type SPA struct {
	files fs.FS
	csp   string
	fail  func(http.ResponseWriter, *http.Request, error)
	dev   *httputil.ReverseProxy // nil to serve files
	etags *lru.Cache[fileKey, string]
}

// A fileKey identifies one version of a file in the cache of ETags.
type fileKey struct {
	name     string
	size     int64
	modified time.Time
}

// NewSPA returns the handler. It is an error if the folder does not exist.
func NewSPA(o Options) (*SPA, error) {
	s := &SPA{files: o.FS, csp: o.CSP, fail: o.Fail}
	if s.csp == "" {
		s.csp = defaultCSP
	}
	s.etags, _ = lru.New[fileKey, string](4096) // fails only for sizes below 1
	switch {
	case o.FS != nil:
	case o.DevServer != nil:
		s.dev = devServer(o)
	case o.Dir != "":
		root, err := os.OpenRoot(o.Dir)
		if err != nil {
			return nil, fmt.Errorf("open spa.dir: %w", err)
		}
		s.files = root.FS()
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *SPA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.dev != nil {
		s.dev.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.fail(w, r, problem.New(problem.MethodNotAllowed))
		return
	}
	if err := s.serve(w, r); err != nil {
		s.fail(w, r, err)
	}
}

func (s *SPA) serve(w http.ResponseWriter, r *http.Request) error {
	name, ok := fileName(r.URL)
	if !ok || s.files == nil {
		return problem.New(problem.NotFound)
	}
	served, err := s.serveFile(w, r, name)
	if served || err != nil {
		return err
	}
	if !wantsPage(r, name) {
		return problem.New(problem.NotFound)
	}
	if served, err = s.serveFile(w, r, "index.html"); !served && err == nil {
		err = problem.New(problem.NotFound)
	}
	return err
}

// fileName returns the name of the file for a URL. It is false for names that are never served:
// hidden files, source maps, and names that some file systems read in another way.
func fileName(u *url.URL) (string, bool) {
	p := u.Path
	special := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }
	encodedSlash := strings.Contains(strings.ToLower(u.EscapedPath()), "%2f")
	if strings.ContainsFunc(p, special) || encodedSlash {
		return "", false
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		if strings.HasPrefix(segment, ".") || strings.HasSuffix(segment, ".") && segment != "" {
			return "", false
		}
	}
	if strings.HasSuffix(strings.ToLower(p), ".map") {
		return "", false
	}
	name := strings.TrimPrefix(path.Clean("/"+p), "/")
	if name == "" {
		name = "index.html"
	}
	return name, fs.ValidPath(name)
}

// wantsPage reports whether index.html answers a request for a path without a file: the client
// accepts HTML, and the name has no extension other than .html, which would mean a missing file.
func wantsPage(r *http.Request, name string) bool {
	if path.Ext(name) != "" && path.Ext(name) != ".html" || strings.Contains(r.URL.Path, ";") {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// serveFile serves one file. It returns false if there is none.
func (s *SPA) serveFile(w http.ResponseWriter, r *http.Request, name string) (bool, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return false, nil // it does not exist, or is outside the folder
	}
	defer f.Close() // it is only read
	st, err := f.Stat()
	content, seekable := f.(io.ReadSeeker)
	if err != nil || !st.Mode().IsRegular() || !seekable {
		return false, nil
	}
	etag, err := s.etag(name, st, content)
	if err != nil {
		return false, fmt.Errorf("read file of the app: %w", err)
	}
	h := w.Header()
	h.Set("Etag", etag)
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", cacheControl(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	if path.Ext(name) == ".html" {
		h.Set("Content-Security-Policy", s.csp)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Add("Vary", "Accept")
	}
	http.ServeContent(w, r, name, time.Time{}, content)
	return true, nil
}

// etag returns a hash of the content, which is the same on every replica, whatever the modification
// times are.
func (s *SPA) etag(name string, st fs.FileInfo, content io.ReadSeeker) (string, error) {
	key := fileKey{name, st.Size(), st.ModTime()}
	if e, ok := s.etags.Get(key); ok && !st.ModTime().IsZero() {
		return e, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	e := `"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:15]) + `"`
	s.etags.Add(key, e)
	return e, nil
}

// hashed matches the names of bundlers, which contain a hash of the file's content.
var hashed = regexp.MustCompile(`[-.][A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*\.[a-z0-9]+$|[-.]([A-Z][a-z0-9_-]*){2,}\.[a-z0-9]+$`)

func cacheControl(name string) string {
	ext := path.Ext(name)
	longHash := len(hashed.FindString(path.Base(name)))-len(ext) > 8
	if longHash && strings.Contains(name, "/") && ext != ".html" {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// contentType returns the media type of a file. For the usual files of an app it does not depend on
// the tables of the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".webmanifest":
		return "application/json; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".wasm":
		return "application/wasm"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// devServer returns a proxy to a development server, including WebSockets for hot reloading. It is
// for development only, and removes our cookies.
func devServer(o Options) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: outbound.NewTransport(),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(o.DevServer)
			o.Site.StripCookies(pr.Out.Header)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			cause := fmt.Errorf("spa.dev_server: %w", err)
			o.Fail(w, r, problem.New(problem.UpstreamUnreachable).CausedBy(cause))
		},
	}
}
