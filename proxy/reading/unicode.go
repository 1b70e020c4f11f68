package reading

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// compatible applies Unicode normalization (NFC to NFKD), maps to lower case, and removes accents
// and invisible characters. If any of these alone would turn a text into ASCII letters, compatible
// turns it into the same letters in lower case.
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
	if ignorable(r) {
		return out
	}
	return utf8.AppendRune(out, r)
}

// ignorable reports whether a comparison may ignore a character: marks, format characters, and
// characters that are invisible by default.
func ignorable(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// bestFit replaces characters by similar ASCII characters, as conversions to a small character set
// do.
func bestFit(s string) string {
	out := make([]byte, 0, len(s))
	for i, r := range s {
		if to, ok := lookalikes[r]; ok {
			r = to.fit
		} else if r >= utf8.RuneSelf {
			parts := norm.NFKD.PropertiesString(s[i:]).Decomposition()
			if len(parts) > 0 && parts[0] < utf8.RuneSelf {
				r = rune(parts[0])
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// lowBytes keeps only the lowest byte of each character, as a program does that writes text as
// Latin-1 without a check (Node.js with its encoding "latin1").
func lowBytes(s string) string {
	return strings.Map(func(r rune) rune { return r & 0xff }, s)
}

// asWindows1252 reads the bytes of UTF-8 text as Windows-1252.
func asWindows1252(s string) string {
	out, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return s // unreachable: every byte is a character of Windows-1252
	}
	return out
}

// A lookalike is the ASCII form of a character that Unicode does not decompose.
type lookalike struct {
	spelled string // by transliteration
	fit     rune   // by the best-fit tables of Windows, and similar ones
}

// lookalikes has capitals only for bestFit: compatible maps to lower case first.
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
