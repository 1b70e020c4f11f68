package login

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what is kept of a text that a provider or a caller sent.
const maxText = 200

// hidden reports whether a character has no business in a text that people or logs are shown:
// control characters, and format characters, among them those that reverse the direction of reading
// (U+202E and its like).
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// visible makes s fit to be shown as text: bounded in bytes, valid UTF-8, on one line. Whoever puts
// it into a page still has to escape it.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if hidden(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
