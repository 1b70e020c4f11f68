package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mask replaces what is hidden (LG6).
const mask = "***"

// A quote is a line with its secrets masked, and the original index of each of its characters.
type quote struct {
	text   []rune
	origin []int // from 0; for a mask, the index at which the hidden text began
}

func (q *quote) add(origin int, text string) {
	for _, r := range text {
		q.text = append(q.text, r)
		q.origin = append(q.origin, origin)
	}
}

// punctuation may stand between a secret that began on an earlier line and the next key.
const punctuation = " \t-[]{},?:\"'"

// quote returns a line of the file with its secrets masked. Call it only after all secrets were
// hidden.
func (s *source) quote(number int) quote {
	q, ok := s.quoted[number]
	if !ok {
		q = s.masked(number)
		s.quoted[number] = q
	}
	return q
}

func (s *source) masked(number int) quote {
	text := []rune(s.lines[number-1])
	var q quote
	if s.unparsed {
		for i, r := range []rune(maskUnparsed(string(text))) {
			q.add(i, string(r))
		}
		return q
	}
	shown := 0
	show := func(to int) {
		for ; shown < to; shown++ {
			q.add(shown, string(text[shown]))
		}
	}
	for _, h := range s.hiddenIn(number, len(text)) {
		show(h[0])
		if h[0] == 0 && strings.Trim(string(text[:h[1]]), punctuation) == "" {
			show(h[1])
			continue
		}
		q.add(h[0], mask)
		if h[1] < len(text) {
			q.add(h[0], ", ")
		}
		shown = h[1]
	}
	show(len(text))
	return q
}

// Limits of a quoted line, in characters.
const (
	quoteBefore = 60  // before the column of the fault
	quoteMost   = 120 // in all
)

// print returns the line, shortened if it is long, and the indentation of a caret below the column.
func (q quote) print(column int) (line, indent string) {
	place, _ := slices.BinarySearch(q.origin, column-1)
	text := q.text
	if len(text) > quoteMost {
		from := min(max(0, place-quoteBefore), len(text)-quoteMost)
		text = slices.Clone(text[from : from+quoteMost])
		if from > 0 {
			text[0] = '…'
		}
		if from+quoteMost < len(q.text) {
			text[len(text)-1] = '…'
		}
		place -= from
	}
	indent = strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(text[:place]))
	return printable(string(text)), indent
}

// printable replaces control and formatting characters, because they could control the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// plainKey matches the start of a line that gives a value to a key.
var plainKey = regexp.MustCompile(`^[\s-]*\{?\s*"?([A-Za-z_]+)"?\s*:`)

// secretWord matches words that suggest a secret. It is wider than the schema, because keys may be
// misspelt.
var secretWord = regexp.MustCompile(`(?i)secret|token|key|store|passw|://[^/\s]*@|\$\{`)

// maskUnparsed masks a line of a file that is not valid YAML. It returns the whole line if that
// gives a value to one key that holds no secret. Otherwise it masks the value.
func maskUnparsed(line string) string {
	m := plainKey.FindStringSubmatchIndex(line)
	if m == nil {
		rest := strings.TrimLeft(line, " \t-")
		if rest == "" {
			return line
		}
		return line[:len(line)-len(rest)] + mask
	}
	value := line[m[1]:]
	flow := strings.Contains(line, "{") || strings.Contains(value, ",") && strings.Contains(value, ":")
	harmless := !flow && isLeafKey(line[m[2]:m[3]]) && !secretWord.MatchString(line)
	if strings.TrimSpace(value) != "" && !harmless {
		return line[:m[1]] + " " + mask
	}
	return line
}
