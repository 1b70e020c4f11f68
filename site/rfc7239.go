package site

import "strings"

// An element of Forwarded is the information of one proxy (RFC 7239 §4).
type element struct{ node, host, proto string }

// parseForwarded parses the lines of Forwarded. It returns nil after a syntax error, because then
// the elements of trusted proxies can't be identified.
func parseForwarded(lines []string) []element {
	var all []element
	for _, text := range splitUnquoted(strings.Join(lines, ","), ',') {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var e element
		seen := map[string]bool{}
		for _, pair := range splitUnquoted(text, ';') {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			name = strings.ToLower(name)
			value, whole := unquote(value)
			if !ok || !whole || seen[name] { // a parameter occurs once per element
				return nil
			}
			seen[name] = true
			switch name {
			case "for":
				e.node = value
			case "host":
				e.host = value
			case "proto":
				e.proto = value
			}
		}
		all = append(all, e)
	}
	return all
}

// splitUnquoted splits s at the separators outside quoted-strings.
func splitUnquoted(s string, separator byte) []string {
	var parts []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// unquote returns the value of a token or quoted-string (RFC 9110 §5.6.4). The result whole is
// false if s is neither.
func unquote(s string) (text string, whole bool) {
	inner, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		return s, !strings.ContainsAny(s, "\" \t")
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			return b.String(), i == len(inner)-1
		case c == '\\' && i+1 < len(inner):
			i++
			b.WriteByte(inner[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
