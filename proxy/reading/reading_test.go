package reading

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

func keys(t testing.TB, escaped string) (all []string, clear bool) {
	t.Helper()
	clear = true
	for key, ok := range Of(escaped) {
		if !ok {
			clear = false
		} else if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	return all, clear
}

// Each step may come after each other one: what one program leaves, the next takes up.
func TestReadingsAreWhatAnyChainOfProgramsMakesOfAPath(t *testing.T) {
	for in, want := range map[string]string{
		"/A//b./%63+d": "/a/b/c d", "/a%253Bx/b": "/a/b", "/a;x%252Fy/b": "/a/b", "/a%2Fb": "/a/b",
		"/a%3Fx/b": "/a", "/a;x/b": "/a",
		"/%EF%BC%85%EF%BC%96%EF%BC%91": "/a", "/%EF%BC%85%EF%BC%93%EF%BC%A2/b": "/b",
		"/a%EF%BC%8F%EF%BC%A2": "/a/b", "/a%EF%BC%9B%2561/b": "/a/b",
		"/%25uff21": "/a", "/a%EF%BC%BCb": "/a/b", "/a:$i30:$INDEX_ALLOCATION/b": "/a/b",
		"/%C5%A1": "/a", "/%C3%AD": "/i", "/a%E2%80%8B%CC%81": "/a",
		"/%25C5%25BF": "/s", "/%E2%84%AA": "/k", "/%C2%B5": "/m", "/%E2%84%A2": "/t", "/%C3%9F": "/ss", "/a%E3%80%80/b": "/a/b",
	} {
		if all, _ := keys(t, in); !slices.Contains(all, want) {
			t.Errorf("%s is not read as %s, but as %q", in, want, all)
		}
	}
	for _, in := range []string{
		"/a/..", "/a/%EF%BC%8E%EF%BC%8E", "/a/%EF%BC%85%EF%BC%92%EF%BC%A5./b", "/a/%C4%AE%C4%AE/b",
		"/" + strings.Repeat("%25", maxLength),
	} {
		if _, clear := keys(t, in); clear {
			t.Errorf("the readings of %.40s are taken for clear", in)
		}
	}
	if all, clear := keys(t, "/"+strings.Repeat("a", 2*maxLength)); !clear || len(all) != 1 {
		t.Error("a path without a trick in it is refused for its length")
	}
}

// Whatever Unicode makes an ASCII text of, compatible makes the same of.
func TestEveryCharacterThatMayBecomeASCIIIsKnownToDoSo(t *testing.T) {
	fold := cases.Fold()
	transforms := map[string]func(string) string{
		"NFC": norm.NFC.String, "NFD": norm.NFD.String, "NFKC": norm.NFKC.String, "NFKD": norm.NFKD.String,
		"lower case": strings.ToLower, "upper case": strings.ToUpper, "title case": strings.ToTitle, "folding": fold.String,
		"Turkish lower case": func(s string) string { return strings.ToLowerSpecial(unicode.TurkishCase, s) },
		"Turkish upper case": func(s string) string { return strings.ToUpperSpecial(unicode.TurkishCase, s) },
		"NFKC, folded":       func(s string) string { return fold.String(norm.NFKC.String(s)) },
		"folded, NFKC":       func(s string) string { return norm.NFKC.String(fold.String(s)) },
		"upper case, NFKD":   func(s string) string { return norm.NFKD.String(strings.ToUpper(s)) },
		"without marks": func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return r
			}, norm.NFKD.String(s))
		},
	}
	become := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		shown := unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S, unicode.M, unicode.Z, unicode.Cf)
		if !shown || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		for name, transform := range transforms {
			to := transform(string(r))
			if traits(to)&beyondASCII != 0 {
				continue
			}
			become++
			if got, want := strings.TrimSpace(compatible(string(r))), strings.TrimSpace(strings.ToLower(to)); got != want {
				t.Errorf("%U %c by %s is %q, compatible says %q", r, r, name, want, got)
			}
		}
	}
	if become < 5000 {
		t.Errorf("%d characters became ASCII, too few to show anything", become)
	}
}

func TestAmbiguousPaths(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, "x": true, "/": false, "/a/": false, "/a//": true, "//a": true, "/;": true,
		"/a/;": true, "/a/;x": true, "/;x/a": true, "/a;x/": false, "/a/%3B/b": true,
		"/a/%253B": true,
		"/.":       true, "/a/..": true, "/a/...": true, "/a/.%20": true, "/a/+.": true, "/a/..;x": true,
		"/a/..%23": true, "/a/%2e": true, "/a/%252e": true, "/a/.a": false, "/a..b": false,
		"/a/%E2%80%A6": true,
		"/%5c":         true, "/%255C": true, "/a%2Fb": true, "/a%252fb": true, "/%00": true, "/%7f": true,
		"/%C2%80": true, "/%ff": true, "/%c0%af": true, "/%25c0%25af": true, "/%ed%a0%80": true,
		"/%25ud800": true,
		"/%25":      false, "/%2525": false, "/%252525": true, "/%25zz": false, "/100%25u": false,
		"/%20/a": false, "/%E3%80%80/a": false,
	} {
		if got := Ambiguous(in, false); got != want {
			t.Errorf("%s ambiguous = %v, want %v", in, got, want)
		}
	}
	for in, want := range map[string]bool{
		"/a%2Fb": false, "/a%2f": false, "/a%252Fb": false, "/a%2F%2Fb": true, "/a%2F/b": true,
		"/a%2F..": true, "/a%2F;x": true, "/%2Fa": true, "/a%5Cb": true,
	} {
		if got := Ambiguous(in, true); got != want {
			t.Errorf("%s ambiguous with encoded slashes = %v, want %v", in, got, want)
		}
	}
}

// FuzzOf: no path costs more than the bounds allow, and the path as it stands is always a reading of it.
func FuzzOf(f *testing.F) {
	for _, s := range []string{"/a%2Fb;c/%EF%BC%8F", "/%25uff0f", "/%C4%AE%C4%AE/%3F%23", "/a:$b\\c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		for key, ok := range Of(s) {
			if n++; n == 1 && ok && key != Key(s) {
				t.Errorf("%q is not read as it stands", s)
			}
			if Key(key) != key {
				t.Errorf("the key %q of %q has the key %q", key, s, Key(key))
			}
		}
		if n > maxWork {
			t.Errorf("%q has %d readings", s, n)
		}
		Ambiguous(s, true)
	})
}

// The cost for a path that is plain, one in Japanese, and the worst that a stranger can send.
func BenchmarkOf(b *testing.B) {
	for name, path := range map[string]string{
		"plain":  "/api/orders/3f2b8c1e-0d4a-4e0b-9c1f-1a2b3c4d5e6f",
		"utf8":   "/api/%E3%83%A6%E3%83%BC%E3%82%B6%E3%83%BC/%E4%B8%80%E8%A6%A7;v=1",
		"evil":   "/" + strings.Repeat("%EF%BC%85%C4%AF;%253B%25uff1b%3F", maxLength/36),
		"simple": "/" + strings.Repeat("%C3%A9/", maxLength/7),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for key, ok := range Of(path) {
					_, _ = key, ok
				}
			}
		})
	}
}
