package proxy

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// Only types that no browser runs as a page are left alone; everything else and every spelling that two readers
// could take for two types is not.
func TestOnlyInertTypesRunAsThemselves(t *testing.T) {
	for _, kind := range []string{
		"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif",
		"image/bmp", "image/x-icon", "audio/mpeg", "audio/x-wav",
		"video/mp4", `video/mp4; codecs="avc1.42E01E, mp4a.40.2"`, "font/woff2", "application/json",
		"application/json;charset=UTF-8",
		"application/json; charset=utf-8",
		"application/json;odata.metadata=minimal;IEEE754Compatible=false",
		"application/problem+json", "application/vnd.api+json",
		"text/csv; header=present", "text/plain", "text/plain; charset=utf-8",
		`text/plain; charset="utf-8"`, "text/event-stream", "application/octet-stream",
		"application/protobuf", "application/x-protobuf", "application/grpc",
		"application/grpc+proto", "application/grpc-web-text",
	} {
		if !isInert([]string{kind}) {
			t.Errorf("%q is sandboxed, want it left alone", kind)
		}
	}
	for _, lines := range [][]string{
		nil,
		{""},
		{" "},
		{"text/html"},
		{"text/html; charset=utf-8"},
		{"TEXT/HTML"},
		{"Text/Plain"},
		{"image/svg+xml"},
		{"image/svg+xml;charset"},
		{"image/svg+xml; charset=utf-8"},
		{"image/svg"},
		{"text/xml"},
		{"application/xml"},
		{"application/xhtml+xml"},
		{"application/rss+xml"},
		{"audio/x+xml"},
		{"video/xml"},
		{"font/a+xml"},
		{"application/x-anything"},
		{"text/plain", "text/html"},
		{"text/html", "text/plain"},
		{"text/plain", "text/plain"},
		{"text/plain, text/html"},
		{"text/plain,text/html"},
		{"text/html,"},
		{"text/plain; charset"},
		{"text/plain;"},
		{"text/plain; charset=utf-8;"},
		{"text/plain; charset=a b"},
		{"text/plain; charset=\"a"},
		{"text/plain charset=utf-8"},
		{"text/plain/html"},
		{"text/plain\ttext/html"},
		{" text/plain"},
		{"text/plain "},
		{"text"},
		{"/"},
		{"text/"},
		{"*/*"},
		{"text/*"},
		{"unknown/unknown"},
		{"application/unknown"},
		{"text/plain\x00"},
		{"text/plain\n"},
		{"multipart/x-mixed-replace; boundary=x"},
		{"multipart/form-data; boundary=x"},
		{"message/rfc822"},
		{"multipart/related"},
		{"text/css"},
		{"text/javascript"},
		{"application/javascript"},
		{"application/wasm"},
		{"application/manifest"},
		{"text/cache-manifest"},
		{"text/vtt"},
		{"text/vnd.wap.wml"},
		{"application/mathml"},
		{"text/xsl"},
		{"application/x-shockwave-flash"},
		{"application/java-archive"},
		{"application/json+xml"},
		{"application/jsonx"},
		{"image/*"},
		{"image/png,text/html"},
		{"application/pdf; x=\"text/html"},
	} {
		if isInert(lines) {
			t.Errorf("%q is left alone, want it sandboxed", lines)
		}
	}
}

// Whatever the status, what is not inert arrives with a sandbox that the API can't loosen, and no type is guessed:
// net/http's server would take a body without a type for HTML.
func TestAnswersThatCouldRunAreSandboxedAndNotSniffed(t *testing.T) {
	var answer http.HandlerFunc
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer api.Close()
	front := newFront(t, api.URL, nil)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page := []byte("<!doctype html><script>1</script>")
	for name, c := range map[string]struct {
		method    string
		status    int
		types     []string
		csp       []string // the API's own
		wantType  []string
		sandboxed bool
	}{
		"no type":       {"GET", 200, nil, nil, []string{"application/octet-stream"}, true},
		"an empty type": {"GET", 200, []string{""}, nil, []string{"application/octet-stream"}, true},
		"HTML":          {"GET", 200, []string{"text/html"}, nil, []string{"text/html"}, true},
		"its own policy": {
			"GET", 200,
			[]string{"text/html"},
			[]string{"sandbox allow-scripts allow-same-origin", "default-src *"},
			[]string{"text/html"},
			true,
		},
		"two types":            {"GET", 200, []string{"text/plain", "text/html"}, nil, []string{"text/plain", "text/html"}, true},
		"an error":             {"GET", 500, nil, nil, []string{"application/octet-stream"}, true},
		"not found":            {"GET", 404, []string{"text/html"}, nil, []string{"text/html"}, true},
		"a redirect with HTML": {"GET", 302, []string{"text/html"}, nil, []string{"text/html"}, true},
		"part of a file":       {"GET", 206, []string{"image/svg+xml"}, nil, []string{"image/svg+xml"}, true},
		"HEAD":                 {"HEAD", 200, []string{"text/html"}, nil, []string{"text/html"}, true},
		"HEAD without a type":  {"HEAD", 200, nil, nil, []string{"application/octet-stream"}, true},
		"nothing":              {"GET", 204, nil, nil, nil, true},
		"not modified":         {"GET", 304, []string{"text/html"}, []string{"default-src *"}, nil, false}, // would change what is stored
		"JSON": {
			"GET", 200,
			[]string{"application/json"},
			[]string{"default-src 'self'"},
			[]string{"application/json"},
			false,
		},
		"a PDF in part": {"GET", 206, []string{"application/pdf"}, nil, []string{"application/pdf"}, false},
	} {
		answer = func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h["Content-Type"], h["Content-Security-Policy"], h["X-Content-Type-Options"] = c.types, c.csp, []string{"sniff", "please"}
			h.Set("Content-Disposition", "attachment; filename=x")
			if c.status == http.StatusFound {
				h.Set("Location", "/api/next")
			}
			w.WriteHeader(c.status)
			if c.status != http.StatusNoContent && c.status != http.StatusNotModified && r.Method != http.MethodHead {
				_, _ = w.Write(page)
				_ = http.NewResponseController(w).Flush() // no length: chunked
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), c.method, front.URL+"/api/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		h := res.Header
		want := slices.Clone(c.csp)
		if c.status == http.StatusNotModified {
			want = nil
		}
		if c.sandboxed {
			want = append(want, sandbox)
		}
		if res.StatusCode != c.status || !slices.Equal(h["Content-Type"], c.wantType) ||
			!slices.Equal(h["Content-Security-Policy"], want) ||
			!slices.Equal(h["X-Content-Type-Options"], []string{"nosniff"}) || h.Get("Content-Disposition") != "attachment; filename=x" {
			t.Errorf("%s: answer = %d %v, want %d, types %q, policies %q, nosniff and the disposition",
				name, res.StatusCode, h, c.status, c.wantType, want)
		}
	}
}
