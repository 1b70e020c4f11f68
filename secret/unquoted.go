package secret

import (
	"regexp"
	"strings"
)

// Unquoted is err without the words of the other side: net/http quotes what it could not understand of an answer,
// and that may be a token that the peer has sent back. What err wraps can still be found in it.
func Unquoted(err error) error {
	if err == nil {
		return nil
	}
	text := quoted.ReplaceAllString(err.Error(), `"…"`)
	for _, before := range unquotedWords {
		if head, _, found := strings.Cut(text, before); found {
			text = head + before + "…"
		}
	}
	if text == err.Error() {
		return err
	}
	return &unquoted{text, err}
}

// quoted is what %q makes, to the end of the text where that was cut off.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*("|$)`)

// unquotedWords stand in front of what net/textproto shows as it came. Never written to.
var unquotedWords = []string{"malformed MIME header line: ", "malformed MIME header initial line: "}

type unquoted struct {
	text string
	err  error
}

// Error implements error.
func (u *unquoted) Error() string { return u.text }

// Unwrap gives the error itself, whose text must not be shown.
func (u *unquoted) Unwrap() error { return u.err }
