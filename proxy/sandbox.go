package proxy

import (
	"net/http"
	"regexp"
	"strings"
)

// sandbox keeps what an API answered from acting as the app where a browser opens it as a page: a document
// with it has an origin of its own, and neither scripts nor anything that it loads.
const sandbox = "sandbox; default-src 'none'; frame-ancestors 'none'"

// inert are the types that no browser runs as a page: it shows, plays or downloads them. What is not here is
// sandboxed: HTML and every kind of XML (SVG among them) run, and what is unknown may yet. Subtypes of audio,
// video and font are inert, too, but for XML (classes).
var inert = set(
	"application/pdf",
	"image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp", "image/avif", "image/apng", "image/bmp", "image/x-ms-bmp",
	"image/tiff", "image/heic", "image/heif", "image/jxl", "image/x-icon", "image/vnd.microsoft.icon",
	"application/ogg", "application/font-woff", "application/font-woff2", "application/vnd.ms-fontobject",
	"application/json", "text/json", "text/csv", "text/plain", "text/event-stream", "application/octet-stream",
	"application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf",
	"application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text", "application/grpc-web-text+proto",
)

var classes = []string{"audio/", "video/", "font/"}

// plainType is a Content-Type that every reader understands alike (RFC 9110 §8.3.1): lower case, one type,
// whole parameters, nothing before or behind. Any other spelling counts as no type.
var plainType = regexp.MustCompile(`^([a-z]+/[a-z0-9][a-z0-9.+-]*)(?: ?; ?[A-Za-z0-9._-]+=(?:[A-Za-z0-9._+-]+|"[A-Za-z0-9._+:/, -]*"))*$`)

// isInert reports whether a browser that opens an answer with these Content-Type lines runs nothing of it.
func isInert(lines []string) bool {
	if len(lines) != 1 {
		return false
	}
	match := plainType.FindStringSubmatch(lines[0])
	if match == nil {
		return false
	}
	kind := match[1]
	if _, ok := inert[kind]; ok || strings.HasSuffix(kind, "+json") {
		return true
	}
	for _, class := range classes {
		if strings.HasPrefix(kind, class) && !strings.HasSuffix(kind, "xml") {
			return true
		}
	}
	return false
}

// disarm keeps what an API answered from running in the app's origin (PR5). The policy is a line
// of its own: browsers obey all of them, so the API's own can't loosen it. net/http's server would guess the
// type of an answer without one, HTML included, after every filter; such an answer gets one that is only ever
// downloaded.
func sandboxActive(res *http.Response) {
	if res.StatusCode < http.StatusOK {
		return // a WebSocket's handshake: nothing of it is shown
	}
	h := res.Header
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if res.StatusCode == http.StatusNotModified {
		// A 304's fields replace those that the browser has stored with the answer (RFC 9111 §3.2): neither its
		// type nor our policy may be changed in this way.
		for _, name := range []string{"Content-Type", "Content-Security-Policy", "Content-Security-Policy-Report-Only"} {
			delete(h, name)
		}
		return
	}
	if isInert(h["Content-Type"]) {
		return
	}
	h["Content-Security-Policy"] = append(h["Content-Security-Policy"], sandbox)
	if strings.Join(h["Content-Type"], "") == "" && res.StatusCode != http.StatusNoContent {
		h["Content-Type"] = []string{"application/octet-stream"}
	}
}
