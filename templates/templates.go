// Package templates has the pages that users see: to choose a provider, a failed login, a logout,
// an error. They are embedded; a folder of the operator's can override individual files.
//
// The content of a page is one typed value, which html/template escapes. The texts are in locales/,
// one file for each language. A page loads no resources and runs no script, and its
// Content-Security-Policy permits none; only the page of the silent login has a script.
//
// It knows no request, session or error: whoever shows a page chooses it and its value.
package templates

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"golang.org/x/text/language"
)

//go:embed *.html *.css *.js locales/*.json
var embedded embed.FS

// A Set is all pages in all languages, parsed. It is safe for concurrent use.
type Set struct {
	pages   map[string]*template.Template
	texts   []map[string]string // in the order of tags
	tags    []language.Tag
	matcher language.Matcher

	css       template.CSS
	script    template.JS
	policy    string // Content-Security-Policy of a page
	framePage string // Content-Security-Policy of the silent login
}

// languages are the languages of locales/, the default first.
var languages = [...]string{"en", "ja", "ko"}

// Load parses every page, with the overriding files of o. It executes each page once, so that a
// faulty template fails here and not in a request.
func Load(o Options) (*Set, error) {
	s := &Set{pages: map[string]*template.Template{}}
	files := layered{embedded, o.FS}
	if o.Dir != "" {
		files.over = os.DirFS(o.Dir)
	}
	if err := s.loadTexts(files); err != nil {
		return nil, err
	}
	if err := s.loadAssets(files); err != nil {
		return nil, err
	}
	for _, sample := range samples {
		name := sample.file()
		t, err := template.New("layout.html").ParseFS(files, "layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		s.pages[name] = t
		if err := s.Render(new(bytes.Buffer), languages[0], sample); err != nil {
			return nil, fmt.Errorf("try page %s: %w", name, err)
		}
	}
	return s, nil
}

// layered is a file system in which over, if it is not nil, overrides the files of base.
type layered struct{ base, over fs.FS }

// Open implements fs.FS.
func (l layered) Open(name string) (fs.File, error) {
	if l.over != nil {
		f, err := l.over.Open(name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return l.base.Open(name)
}

func (s *Set) loadTexts(files fs.FS) error {
	for _, lang := range languages {
		b, err := fs.ReadFile(files, path.Join("locales", lang+".json"))
		if err != nil {
			return fmt.Errorf("read locale: %w", err)
		}
		var texts map[string]string
		if err := json.Unmarshal(b, &texts); err != nil {
			return fmt.Errorf("read locale %s: %w", lang, err)
		}
		s.texts, s.tags = append(s.texts, texts), append(s.tags, language.Make(lang))
	}
	s.matcher = language.NewMatcher(s.tags)
	return nil
}

func (s *Set) loadAssets(files fs.FS) error {
	css, err := fs.ReadFile(files, "page.css")
	if err != nil {
		return fmt.Errorf("read page.css: %w", err)
	}
	script, err := fs.ReadFile(files, "silent.js")
	if err != nil {
		return fmt.Errorf("read silent.js: %w", err)
	}
	s.css, s.script = template.CSS(css), template.JS(script)
	base := "default-src 'none'; base-uri 'none'; object-src 'none'; style-src " + source(css)
	s.policy = base + "; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'"
	s.framePage = base + "; script-src " + source(script) +
		"; connect-src 'self'; form-action 'none'; frame-ancestors 'self'"
	return nil
}

// source is the hash that permits one inline block in a policy (CSP 3 §6.7.3.3).
func source(block []byte) string {
	sum := sha256.Sum256(block)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Language selects the language for an Accept-Language header, or English if none matches.
func (s *Set) Language(acceptLanguage string) string {
	if len(acceptLanguage) > 1<<10 {
		return languages[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return languages[0]
	}
	_, i, confidence := s.matcher.Match(wanted...)
	if confidence == language.No {
		return languages[0]
	}
	return languages[i]
}

// view is the data of a template.
type view struct {
	Lang string
	Page Page
	CSS  template.CSS
	JS   template.JS

	texts, fallback map[string]string
}

// T is the text for a key in the page's language, or else in English, or else the key itself.
func (v view) T(key string) string {
	if text, ok := v.texts[key]; ok {
		return text
	}
	if text, ok := v.fallback[key]; ok {
		return text
	}
	return key
}

// Of is the view for a part of the page.
func (v view) Of(part Page) view {
	v.Page = part
	return v
}

// TOr is T of key, or T of other if no locale has key, as for a new problem code.
func (v view) TOr(key, other string) string {
	if text := v.T(key); text != key {
		return text
	}
	return v.T(other)
}

// Render writes a page's HTML in a language that Language returned.
func (s *Set) Render(b *bytes.Buffer, lang string, p Page) error {
	texts := s.texts[0]
	for i, l := range languages {
		if l == lang {
			texts = s.texts[i]
		}
	}
	t, ok := s.pages[p.file()]
	if !ok {
		return fmt.Errorf("no page %s", p.file())
	}
	return t.ExecuteTemplate(b, "layout.html", view{
		Lang: lang, Page: p, CSS: s.css, JS: s.script, texts: texts, fallback: s.texts[0],
	})
}

// Write answers with a page. It renders the whole page before it sends anything.
func (s *Set) Write(w http.ResponseWriter, status int, lang string, p Page) error {
	var b bytes.Buffer
	if err := s.Render(&b, lang, p); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return fmt.Errorf("render page %s: %w", strings.TrimSuffix(p.file(), ".html"), err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Add("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Frame-Options", "DENY")
	if _, posts := p.(Sessions); posts {
		h.Set("Referrer-Policy", "same-origin") // with no-referrer, its form has Origin: null
	}
	if _, framed := p.(SilentLogin); framed {
		h.Set("Content-Security-Policy", s.framePage)
		h.Set("X-Frame-Options", "SAMEORIGIN")
	}
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}
