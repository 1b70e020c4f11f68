package login

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/site"
)

// maxText bounds what is kept of a text that a provider or a caller sent.
const maxText = 200

// visible makes s fit to be shown as text: bounded in bytes, valid UTF-8, on one line. Whoever puts
// it into a page still has to escape it.
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
