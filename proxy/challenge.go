package proxy

import "strings"

// A challenge is one challenge of a WWW-Authenticate field (RFC 9110 §11.6.1). It does not keep the
// token68 that some schemes have instead of parameters.
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name in lower case; the first of each name
}

// challenges parses the lines of a WWW-Authenticate field. Commas separate both challenges and
// parameters, so only what follows a name says whether that is a scheme. After a syntax error the
// parser goes on at the next comma. It tolerates a missing comma between two parameters.
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

// A cursor is the unread rest of a line.
type cursor struct{ rest string }

// take reads the bytes at the start for which kind is true.
func (c *cursor) take(kind func(byte) bool) string {
	n := span(c.rest, kind)
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

// at reports whether the next byte is b.
func (c *cursor) at(b byte) bool { return c.rest != "" && c.rest[0] == b }

// token reads a token and the white space around it. It returns "" if there is none.
func (c *cursor) token() string {
	c.take(isSpace)
	token := c.take(isTokenByte)
	c.take(isSpace)
	return token
}

// skipToken68 skips everything up to the next comma if that is a token68, and reports whether it
// is.
func (c *cursor) skipToken68() bool {
	n := span(c.rest, isToken68Byte)
	after := strings.TrimLeft(strings.TrimLeft(c.rest[n:], "="), " \t")
	if n == 0 || after != "" && after[0] != ',' {
		return false
	}
	c.rest = after
	return true
}

func isToken68Byte(b byte) bool { return isLetterOrDigit(b) || strings.IndexByte("-._~+/", b) >= 0 }

// value reads the = and the value of a parameter. It is not ok if the closing quote is missing. A
// value without quotes may be more than a token, because some APIs forget the quotes.
func (c *cursor) value() (value string, ok bool) {
	c.rest = c.rest[1:]
	c.take(isSpace)
	if c.at('"') {
		return c.quoted()
	}
	return c.take(func(b byte) bool { return b != ',' && b != '"' && !isSpace(b) }), true
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

// skipElement skips to the next comma outside a quoted-string.
func (c *cursor) skipElement() {
	for c.rest != "" && !c.at(',') {
		if c.at('"') {
			_, _ = c.quoted()
			continue
		}
		c.rest = c.rest[1:]
	}
}

// span counts the bytes at the start of s for which kind is true.
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
