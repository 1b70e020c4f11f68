package reading

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// compatible is what Unicode normalisation (NFC to NFKD), case mapping, and comparison without accents or
// invisible characters can make of a text, all together. What any of them alone turns into ASCII
// letters, this turns into the same letters, small.
func compatible(s string) string {
	out := make([]byte, 0, len(s))
	for i, r := range s {
		if r < utf8.RuneSelf {
			out = utf8.AppendRune(out, unicode.ToLower(r))
			continue
		}
		parts := norm.NFKD.PropertiesString(s[i:]).Decomposition()
		if len(parts) == 0 {
			out = appendCompatible(out, r)
		}
		for len(parts) > 0 {
			part, size := utf8.DecodeRune(parts)
			out, parts = appendCompatible(out, part), parts[size:]
		}
	}
	return string(out)
}

func appendCompatible(out []byte, r rune) []byte {
	r = unicode.ToLower(r)
	if to, ok := lookalikes[r]; ok {
		return append(out, to.spelled...)
	}
	if vanishes(r) {
		return out
	}
	return utf8.AppendRune(out, r)
}

// vanishes reports whether a comparison may leave a character out: marks, format characters, and what
// is not shown by default.
func vanishes(r rune) bool {
	return r >= utf8.RuneSelf &&
		unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// bestFit puts one ASCII character in the place of one that is not, as conversions to a small
// character set do.
func bestFit(s string) string {
	out := make([]byte, 0, len(s))
	for i, r := range s {
		if to, ok := lookalikes[r]; ok {
			r = to.fit
		} else if r >= utf8.RuneSelf {
			if parts := norm.NFKD.PropertiesString(s[i:]).Decomposition(); len(parts) > 0 && parts[0] < utf8.RuneSelf {
				r = rune(parts[0])
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// lowBytes keeps of each character the lowest byte, as a program does that writes text out as Latin-1
// without looking (Node.js with its encoding "latin1").
func lowBytes(s string) string {
	return strings.Map(func(r rune) rune { return r & 0xff }, s)
}

// asWindows1252 takes UTF-8 for Windows' Latin-1.
func asWindows1252(s string) string {
	out, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return s // unreached: every byte is a character there
	}
	return out
}

// A lookalike is what a character becomes in ASCII where Unicode does not decompose it.
type lookalike struct {
	spelled string // by transliteration
	fit     rune   // by Windows' best-fit tables, and others like them
}

// lookalikes has capitals for bestFit alone: compatible meets small letters.
var lookalikes = makeLookalikes()

func makeLookalikes() map[rune]lookalike {
	m := map[rune]lookalike{
		'ß': {"ss", 's'}, 'ẞ': {"ss", 'S'}, 'æ': {"ae", 'a'}, 'Æ': {"AE", 'A'}, 'œ': {"oe", 'o'}, 'Œ': {"OE", 'O'},
		'þ': {"th", 't'}, 'Þ': {"TH", 'T'}, 'ŋ': {"ng", 'n'}, 'Ŋ': {"NG", 'N'}, 'ĸ': {"k", 'q'}, '¥': {`\`, 'y'},
	}
	for to, from := range map[rune]string{
		'a': "ɑαªɐ", 'b': "ƀɓβ", 'c': "ƈ¢©", 'd': "đðɖɗδÐĐ", 'e': "ɛəεǝ€", 'f': "ƒφΦ", 'g': "ǥɡɠγΓ", 'h': "ħɦĦ", 'i': "ıɨɪι",
		'j': "ȷɉ", 'k': "ƙκ", 'l': "łƚɫŁ£", 'm': "ɱµμ", 'n': "ɲƞη", 'o': "øɵΩωοØ", 'p': "ƥπ", 'q': "ɋ", 'r': "ɍɾ®ρ", 's': "ſʂσςΣ",
		't': "ŧƭτθΘŦ", 'u': "ʉυ", 'v': "ʋν", 'w': "ɯ", 'x': "×χ", 'y': "ƴɏ", 'z': "ƶʐζ",
		'/': "⁄∕⧸⟋╱／", '\\': "∖⧵﹨＼₩", '.': "․。｡．", ';': "；;⁏︔", '%': "％٪﹪⁒", '?': "？﹖", '#': "＃﹟♯",
		' ': "\u00a0\u1680\u2028\u2029\u3000", '-': "‐‑‒–—―−﹣－", '_': "＿‗", '~': "∼˜～〜", ':': "∶：﹕ː", '$': "＄﹩", '+': "＋﹢",
		',': "‚，、", '\'': "‘’′ʼ´", '!': "ǃ！", '@': "＠﹫", '&': "＆﹠", '=': "＝", '*': "∗＊", '(': "（", ')': "）", '|': "¦∣｜",
	} {
		for _, r := range from {
			m[r] = lookalike{string(to), to}
		}
	}
	return m
}
