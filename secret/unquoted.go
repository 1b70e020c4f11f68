package secret

import (
	"regexp"
	"strings"
)

// Unquoted returns err with a text that quotes nothing the peer has sent. Errors of net/http quote
// what they could not parse, and that may be a token that the peer has sent back. The result wraps
// err.
func Unquoted(err error) error {
	if err == nil {
		return nil
	}
	text := quoted.ReplaceAllString(err.Error(), `"…"`)
	for _, before := range unquotedPrefixes {
		if head, _, found := strings.Cut(text, before); found {
			text = head + before + "…"
		}
	}
	if text == err.Error() {
		return err
	}
	return &unquoted{text, err}
}

// quoted matches the output of %q, or its beginning if the text was cut off.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*("|$)`)

// unquotedPrefixes precede what net/textproto shows without quotes. Never written to.
var unquotedPrefixes = []string{"malformed MIME header line: ", "malformed MIME header initial line: "}

type unquoted struct {
	text string
	err  error
}

// Error implements error.
func (u *unquoted) Error() string { return u.text }

// Unwrap returns the original error, whose text must not be shown.
func (u *unquoted) Unwrap() error { return u.err }
