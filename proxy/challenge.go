package proxy

import "strings"

// A challenge is one way to authenticate that a WWW-Authenticate field offers (RFC 9110 §11.6.1). Its token68, of
// schemes that have one instead of parameters, is not kept.
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name in lower case; the first of a name counts
}

// challenges reads the lines of a WWW-Authenticate field. Commas part challenges as well as the parameters of one, and
// lines may be joined by commas on the way, so a scheme is told by what follows it. What breaks the grammar is left
// out up to the next comma, but for a comma that was forgotten between two parameters.
func challenges(lines []string) []challenge {
	var all []challenge
	for _, line := range lines {
		for c := (cursor{line}); c.rest != ""; c.skipElement() {
			c.take(func(b byte) bool { return b == ',' || isSpace(b) })
			name := c.token()
			if name != "" && !c.at('=') {
				all = append(all, challenge{strings.ToLower(name), map[string]string{}})
				if c.skipToken68() {
					continue
				}
				name = c.token()
			}
			for ; name != "" && c.at('='); name = c.token() {
				value, ok := c.value()
				if !ok || len(all) == 0 {
					continue
				}
				name, params := strings.ToLower(name), all[len(all)-1].params
				if _, twice := params[name]; !twice {
					params[name] = value
				}
			}
		}
	}
	return all
}

// A cursor is what is still to be read of a line.
type cursor struct{ rest string }

// take reads as many bytes as are of a kind.
func (c *cursor) take(kind func(byte) bool) string {
	n := span(c.rest, kind)
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

// at reports whether b is next.
func (c *cursor) at(b byte) bool { return c.rest != "" && c.rest[0] == b }

// token reads a token, "" when there is none, and the white space around it.
func (c *cursor) token() string {
	c.take(isSpace)
	token := c.take(isTokenByte)
	c.take(isSpace)
	return token
}

// skipToken68 reports whether a token68 is all that there is up to the next comma, and skips it.
func (c *cursor) skipToken68() bool {
	n := span(c.rest, func(b byte) bool { return isLetterOrDigit(b) || strings.IndexByte("-._~+/", b) >= 0 })
	after := strings.TrimLeft(strings.TrimLeft(c.rest[n:], "="), " \t")
	if n == 0 || after != "" && after[0] != ',' {
		return false
	}
	c.rest = after
	return true
}

// value reads a parameter's value with the = before it. It is not ok when its closing quote is missing.
func (c *cursor) value() (value string, ok bool) {
	c.rest = c.rest[1:]
	c.take(isSpace)
	if c.at('"') {
		return c.quoted()
	}
	return c.take(func(b byte) bool { return b != ',' && b != '"' && !isSpace(b) }), true // more than a token: people forget the quotes
}

// quoted reads a quoted-string (RFC 9110 §5.6.4).
func (c *cursor) quoted() (text string, closed bool) {
	var b strings.Builder
	for i := 1; i < len(c.rest); i++ {
		switch c.rest[i] {
		case '"':
			c.rest = c.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(c.rest) {
				continue
			}
		}
		b.WriteByte(c.rest[i])
	}
	c.rest = ""
	return "", false
}

// skipElement goes on to the next comma that is not quoted.
func (c *cursor) skipElement() {
	for c.rest != "" && !c.at(',') {
		if c.at('"') {
			_, _ = c.quoted()
			continue
		}
		c.rest = c.rest[1:]
	}
}

// span is how many bytes at the start of s are of a kind.
func span(s string, kind func(byte) bool) int {
	n := 0
	for n < len(s) && kind(s[n]) {
		n++
	}
	return n
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' }

func isLetterOrDigit(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// isTokenByte reports whether b may be in a token (RFC 9110 §5.6.2).
func isTokenByte(b byte) bool {
	return isLetterOrDigit(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}
