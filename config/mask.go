package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mask stands where something is hidden (LG6).
const mask = "***"

// A quote is a line as it may be shown, and for each of its characters where it stood in the file.
type quote struct {
	text   []rune
	origin []int // indices from 0; a mask stands where what it hides began
}

func (q *quote) add(origin int, text string) {
	for _, r := range text {
		q.text = append(q.text, r)
		q.origin = append(q.origin, origin)
	}
}

// punctuation is what lies between a secret that began on an earlier line and the next key.
const punctuation = " \t-[]{},?:\"'"

// quote returns a line of the file without its secrets. It is asked for when all of them are hidden.
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
	if s.blind {
		for i, r := range []rune(blindly(string(text))) {
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

// Only so much of a line is quoted: before the place that matters, and in all.
const (
	quoteBefore = 60
	quoteMost   = 120
)

// print returns the line, cut if it is long, and the blanks that bring a caret under the column.
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

// printable keeps control and formatting characters, which could rewrite a terminal, out of a message.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// plainKey matches a line that gives a value to a key.
var plainKey = regexp.MustCompile(`^[\s-]*\{?\s*"?([A-Za-z_]+)"?\s*:`)

// secretWord matches what announces a secret. It is wider than the schema: the line may be misspelt.
var secretWord = regexp.MustCompile(`(?i)secret|token|key|store|passw|://[^/\s]*@|\$\{`)

// blindly returns what may be shown of a line that could not be read as YAML: all of it if it gives a
// value to one key that holds no secret, otherwise what comes before the value.
func blindly(line string) string {
	m := plainKey.FindStringSubmatchIndex(line)
	if m == nil {
		rest := strings.TrimLeft(line, " \t-")
		if rest == "" {
			return line
		}
		return line[:len(line)-len(rest)] + mask
	}
	value := line[m[1]:]
	flow := strings.ContainsAny(line, "{") || strings.Contains(value, ",") && strings.Contains(value, ":")
	if strings.TrimSpace(value) != "" && (flow || !plainLeaf(line[m[2]:m[3]]) || secretWord.MatchString(line)) {
		return line[:m[1]] + " " + mask
	}
	return line
}
