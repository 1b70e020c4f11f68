package templates

import (
	"bytes"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, overrides string) *Set {
	t.Helper()
	s, err := Load(Options{Dir: overrides})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	s := load(t, "")
	for i, texts := range s.texts {
		missing := slices.Sorted(maps.Keys(s.texts[0]))
		missing = slices.DeleteFunc(missing, func(k string) bool { return texts[k] != "" })
		if len(missing) > 0 || len(texts) != len(s.texts[0]) {
			t.Errorf("%s lacks %v, or has more than English", languages[i], missing)
		}
	}
}

func TestLanguageIsTheReadersOwn(t *testing.T) {
	s := load(t, "")
	for header, want := range map[string]string{
		"": "en", "ja": "ja", "ko-KR,ko;q=0.9": "ko", "fr,ja;q=0.5": "ja", "fr": "en", "en-GB": "en",
		"*": "en", "\xff;;q=x": "en", strings.Repeat("a,", 2000): "en",
	} {
		if got := s.Language(header); got != want {
			t.Errorf("language for %.20q = %s, want %s", header, got, want)
		}
	}
}

// BR2, CB10, CB13: every value in a page is escaped, and the page loads no resource and runs no
// script.
func TestPagesAreInertAndLoadNothing(t *testing.T) {
	s := load(t, "")
	const hostile = `"><script>alert(1)</script><img src=//evil.example onerror=x>`
	const script = "javascript:alert(1)"
	external := regexp.MustCompile(`(?i)(src|href)="(https?:)?//`)
	for _, page := range []Page{
		ChooseProvider{Providers: []ProviderChoice{{hostile, hostile, script}}},
		LoginFailed{
			Kind: hostile, ProviderError: hostile, ProviderSays: hostile, Reason: hostile,
			Host: hostile, RetryURL: script, RequestID: hostile,
		},
		ErrorPage{Code: hostile, RequestID: hostile, LoginURL: hostile},
		LoggedOut{LoginURL: script},
		Continue{URL: "/x"},
		LoginLoop{Cause: hostile, Host: hostile, RetryURL: script, RequestID: hostile},
		Sessions{Action: "/bff/sessions", Token: hostile, Rows: []SessionRow{
			{ID: hostile, Device: hostile, Address: hostile, Provider: hostile},
		}},
		Sessions{Action: "/bff/sessions", Ending: &SessionRow{ID: hostile, Device: hostile}},
	} {
		for _, lang := range languages {
			w := httptest.NewRecorder()
			if err := s.Write(w, 400, lang, page); err != nil {
				t.Fatal(err)
			}
			body := w.Body.String()
			for _, raw := range []string{"<script", "<img", `"javascript:`} {
				if strings.Contains(body, raw) {
					t.Errorf("%T in %s has %s:\n%s", page, lang, raw, body)
				}
			}
			if external.MatchString(body) {
				t.Errorf("%T in %s loads or links something external:\n%s", page, lang, body)
			}
			if !strings.Contains(body, `<html lang="`+lang+`">`) {
				t.Errorf("%T in %s lacks its language", page, lang)
			}
			if strings.Count(body, "<h1") != 1 || strings.Count(body, "<main") != 1 {
				t.Errorf("%T in %s does not have exactly one heading and one main part", page, lang)
			}
			csp := w.Result().Header.Get("Content-Security-Policy")
			if !containsAll(csp, "default-src 'none'", "frame-ancestors 'none'") ||
				strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
				t.Errorf("%T: policy %q", page, csp)
			}
		}
	}
}

func containsAll(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}

// CS10: the page of the silent login sends its message to one origin. It says only whether the user
// is logged in.
func TestSilentLoginTellsItsOwnOriginAlone(t *testing.T) {
	s := load(t, "")
	w := httptest.NewRecorder()
	page := SilentLogin{Origin: sampleOrigin, ConfirmURL: "/bff/silent-login", Confirm: "x"}
	if err := s.Write(w, 200, "en", page); err != nil {
		t.Fatal(err)
	}
	body, csp := w.Body.String(), w.Result().Header.Get("Content-Security-Policy")
	const data = `data-origin="https://app.example.com" data-confirm-url="/bff/silent-login" data-confirm="x"`
	if !containsAll(body, data, "r.origin)") || strings.Contains(body, `"*"`) {
		t.Errorf("page:\n%s", body)
	}
	script := regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(body)
	if script == nil || !containsAll(csp, "script-src "+source([]byte(script[1])), "frame-ancestors 'self'") {
		t.Errorf("policy %q does not permit the page's own script", csp)
	}
}

func TestOverridesReplaceSingleFilesAndFailEarly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("logged_out.html", `{{define "title"}}x{{end}}{{define "main"}}<h1>Bye from ACME</h1>{{end}}`)
	var b bytes.Buffer
	s := load(t, dir)
	if err := s.Render(&b, "en", LoggedOut{}); err != nil || !strings.Contains(b.String(), "Bye from ACME") {
		t.Errorf("override: %v\n%s", err, b.String())
	}
	for name, text := range map[string]string{
		"error.html":        "{{define",
		"login_failed.html": `{{define "main"}}{{.Page.Nonsense}}{{end}}`,
	} {
		write(name, text)
		if _, err := Load(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a broken %s = %v, want an error that names it", name, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
