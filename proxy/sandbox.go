package proxy

import (
	"net/http"
	"regexp"
	"strings"
)

// sandbox is the Content-Security-Policy of responses that a browser could open as a page. Such a
// document has an opaque origin, runs no script and loads nothing, so it can't act as the app.
const sandbox = "sandbox; default-src 'none'; frame-ancestors 'none'"

// inert are the types that browsers only show, play or download. All other types get the sandbox:
// HTML and XML (including SVG) can run scripts, and unknown types may. Types of audio, video and
// font are inert, too, unless they are XML (see classes).
var inert = set(
	"application/pdf",
	"image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp", "image/avif",
	"image/apng", "image/bmp", "image/x-ms-bmp",
	"image/tiff", "image/heic", "image/heif", "image/jxl", "image/x-icon", "image/vnd.microsoft.icon",
	"application/ogg", "application/font-woff", "application/font-woff2", "application/vnd.ms-fontobject",
	"application/json", "text/json", "text/csv", "text/plain", "text/event-stream", "application/octet-stream",
	"application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf",
	"application/grpc", "application/grpc+proto", "application/grpc-web",
	"application/grpc-web+proto", "application/grpc-web-text", "application/grpc-web-text+proto",
)

var classes = []string{"audio/", "video/", "font/"}

// plainType matches a Content-Type that every client parses in the same way (RFC 9110 §8.3.1): in
// lower case, with complete parameters and nothing else. Any other Content-Type counts as unknown.
var plainType = regexp.MustCompile(`^([a-z]+/[a-z0-9][a-z0-9.+-]*)(?: ?; ?[A-Za-z0-9._-]+=(?:[A-Za-z0-9._+-]+|"[A-Za-z0-9._+:/, -]*"))*$`)

// isInert reports whether a response with these Content-Type lines runs nothing in a browser.
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

// sandboxActive keeps a response from running scripts in the app's origin (PR5). It adds its policy
// as another line: browsers enforce all of them, so a policy of the API can't loosen it. A response
// without a type becomes a download, because otherwise net/http would detect a type, possibly HTML,
// after this check.
func sandboxActive(res *http.Response) {
	if res.StatusCode < http.StatusOK {
		return // a WebSocket handshake is never shown
	}
	h := res.Header
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if res.StatusCode == http.StatusNotModified {
		// The fields of a 304 replace those of the stored response (RFC 9111 §3.2). They must
		// change neither its type nor our policy.
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
