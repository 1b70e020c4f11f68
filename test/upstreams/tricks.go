package upstreams

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Tricks generates paths, the same ones for the same seed. It is not safe for concurrent use.
type Tricks struct{ rng *rand.Rand }

// NewTricks returns a generator of paths.
func NewTricks(seed uint64) *Tricks { return &Tricks{rand.New(rand.NewPCG(seed, 8))} }

// Path returns an escaped path that begins with from and that some program may interpret as a path
// below to. Neither from nor to ends with a slash.
func (g *Tricks) Path(from, to string) string {
	rest, inside := strings.CutPrefix(to, from+"/")
	if from == "" {
		rest, inside = to[1:], true
	}
	var b strings.Builder
	b.WriteString(from)
	if !inside {
		for range strings.Count(from, "/") {
			b.WriteString(g.separator())
			b.WriteString(g.pick(upwards))
		}
		rest = strings.TrimPrefix(to, "/")
	}
	honest := g.rng.Float64() // the share of characters and separators in their usual spelling
	for segment := range strings.SplitSeq(rest+"/secret", "/") {
		if b.Len() == 0 {
			b.WriteByte('/') // every target begins with a slash
		} else {
			b.WriteString(g.either(honest, "/", g.separator))
		}
		for _, c := range segment {
			b.WriteString(g.either(honest, string(c), func() string { return g.spelling(c) }))
		}
	}
	if g.rng.IntN(8) == 0 {
		b.WriteString(g.pick(endings))
	}
	return b.String()
}

// Honest returns an escaped path below from that every program interprets as written. Callers must
// not guard a path with a segment in words.
func (g *Tricks) Honest(from string) string {
	var b strings.Builder
	b.WriteString(from)
	for range 1 + g.rng.IntN(4) {
		b.WriteByte('/')
		b.WriteString(g.pick(words))
		if g.rng.IntN(3) == 0 {
			b.WriteString(g.pick(additions))
		}
	}
	return b.String()
}

func (g *Tricks) pick(from []string) string { return from[g.rng.IntN(len(from))] }

func (g *Tricks) either(honest float64, usual string, other func() string) string {
	if g.rng.Float64() < honest {
		return usual
	}
	return other()
}

// separator is a slash, or what some program interprets as one.
func (g *Tricks) separator() string {
	if g.rng.IntN(3) == 0 {
		return "/"
	}
	return g.pick(separators)
}

// spelling is a spelling of c that some program interprets as c.
func (g *Tricks) spelling(c rune) string {
	switch g.rng.IntN(14) {
	case 0, 1:
		return strings.ToUpper(string(c))
	case 2, 3:
		return fmt.Sprintf("%%%02x", c)
	case 4:
		return fmt.Sprintf("%%25%02X", c)
	case 5:
		return fmt.Sprintf("%%25u%04x", c)
	case 6:
		return fmt.Sprintf("%%%02x%%%02x", 0xc0|c>>6, 0x80|c&0x3f) // overlong
	case 7:
		return escaped(string(c + 0xfee0)) // full width
	case 8:
		return escaped(string(c + 0x100*rune(1+g.rng.IntN(3)))) // a character with the same lowest byte
	case 9:
		return string(c) + escaped(g.pick(invisible))
	case 10:
		return fmt.Sprintf("%%2525%02x", c)
	case 11:
		return fmt.Sprintf("%%25u%04x", c+0xfee0)
	}
	if others := alike[c]; len(others) > 0 {
		return escaped(g.pick(others))
	}
	return string(c)
}

// escaped percent-encodes every byte.
func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

var (
	separators = []string{
		"//", "///", "/;/", "/;x=1/", "/;/;/", ";/", ";a=b/", ";a=b;c/", "/./", "/x/../", "/x/..;/",
		"/x;/..;y/", "/%2e/", "/x/%2e%2e/",
		"/x/%252e%252e/", "/.;/", "%2F", "%2f", "%252f", "%2F%2F", "/%2F", "%2F.%2F", "%5C", "%5c/",
		"%255c", "/%20/", "%20/", "/%20", "./", "../", ".../",
		"%2e/", "+/", "/+/", "/%3B/", "%3Bx/", "/%253B/", ";%2F", ";x%2F", ";x%252Fy/", "/%3F/",
		"%3F/", "%3Fx=1/", "%23/", "/%23/", "%00/", "%00", "%09/", "/%0a/",
		"%EF%BC%8F", "/%EF%BC%8F", "%E2%88%95", "%E2%81%84", "%EF%BC%BC", "%C4%AF", "/%C4%AF",
		"/%C4%AE/", "/x/%C4%AE%C4%AE/",
		"/%E2%80%8B/", "%E2%80%8B/", "/%EF%BB%BF/", "/%C2%AD/", "%EF%BC%9B/", "/%EF%BC%9B/",
		"%EF%BC%9Bx/", "/%EF%BC%8E/", "/x/%EF%BC%8E%EF%BC%8E/",
		"/x/%E2%80%A5/", "%E3%80%82/", "%CC%81/", "%C2%A0/", "/%C2%A0/", "::$INDEX_ALLOCATION/",
		":$i30:$INDEX_ALLOCATION/", "::$DATA/", "/%u002e/", "%25u002f", "%25uff0f",
		"/%25u002e%25u002e/",
	}
	upwards = []string{
		"..", "%2e%2e", ".%2e", "..;", "..;x=1", "%252e%252e", "%25u002e%25u002e", "..%20", "...",
		"%EF%BC%8E%EF%BC%8E", "%E2%80%A5", "%C4%AE%C4%AE", "..%00", "%c0%ae%c0%ae", "..%3F",
		"%2e%2e%3b",
	}
	endings = []string{
		"/", ";", ";x", "/;", "/.", "/..", "%20", ".", "%3F", "%23x", "%00", "//", ".json",
		"::$DATA", "?x=/svc/admin", "/..;/", "%2F", "%2F..", "%0d%0a",
	}
	invisible = []string{
		"\u200b", "\u00ad", "\ufeff", "\u200d", "\ufe0f", "\u0301", "\u0327", "\u034f", "\u2060",
		"\U000e0041",
	}
	alike = map[rune][]string{
		'a': {"á", "ä", "Å", "ª", "ⓐ", "𝐚", "ā", "α"}, 'c': {"ç", "ⅽ", "ℂ"},
		'd': {"ⅾ", "ď", "đ", "𝖽"}, 'e': {"é", "ℯ", "ę"}, 'g': {"ℊ"}, 'i': {"ı", "İ", "ⅰ", "í", "ℹ"},
		'k': {"K", "ķ", "𝓴"}, 'l': {"ⅼ", "ł", "ℓ"}, 'm': {"ⅿ", "ℳ", "ṁ"}, 'n': {"ñ", "ⁿ", "ň"},
		'o': {"º", "ö", "ø"}, 'p': {"℗", "ṗ"}, 'r': {"ℛ", "ř"}, 's': {"ſ", "š", "ṡ", "ß"},
		't': {"ţ", "ŧ", "𝕥"}, 'u': {"ü", "ů"}, 'v': {"ⅴ", "ṽ"}, 'w': {"ŵ"}, 'x': {"ⅹ"},
		'.': {"․", "．", "。"}, '-': {"‐", "－"}, '4': {"⁴", "④"},
	}
	words = []string{
		"orders", "Orders", "7", "3f2b8c1e-0d4a-4e0b-9c1f-1a2b3c4d5e6f", "caf%C3%A9",
		"gr%C3%B6%C3%9Fe", "%E6%9D%B1%E4%BA%AC", "%E3%83%A6%E3%83%BC%E3%82%B6%E3%83%BC",
		"%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%D1%8B", "%CE%B5%CE%BB%CE%BB%CE%B7%CE%BD%CE%B9%CE%BA%CE%AC",
		"%C4%B1%C5%9F%C4%B1k", "%C4%AF%C5%A1kilas", "%D9%85%D8%B1%D8%AD%D8%A8%D8%A7",
		"%F0%9F%8E%89",
		"a%20b", "a+b", "user@example.com", "urn:isbn:0451450523", "x;v=1", "x;v=1;w=2", "(a,b)",
		"v1.2.3", "~me", "key=value", "it's!", "$count", "a&b", "*", "100%25", "what%3F", "no%23",
		"main...dev",
		"file.tar.gz", "-", "_", "%7Bid%7D", "%22quoted%22", "a%3Ab", "%E0%B9%84%E0%B8%97%E0%B8%A2",
		"%ED%95%9C%EA%B5%AD%EC%96%B4", "nai%CC%88ve", "items(7)",
	}
	additions = []string{
		";v=1", ":cancel", "%20x", "+1", "@2x", ",2", ".json", "%C3%BC", "%E3%80%82x", "=", "!",
		"$", "'", "%2C", "%25",
	}
)
