package login

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/site"
)

// maxText bounds what is kept of a text from a provider or a caller, in bytes.
const maxText = 200

// visible makes s fit to be displayed as text: bounded in bytes, valid UTF-8, on one line. It must
// still be escaped for HTML.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if site.Hidden(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
