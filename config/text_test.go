package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// faultAt returns the first fault without its quoted line and remedy. It is for files that can't be
// written into a golden file.
func faultAt(t *testing.T, data string) string {
	t.Helper()
	began := time.Now()
	_, err := Parse("f", []byte(data), testEnv)
	if took := time.Since(began); took > time.Minute { // a second on an idle machine
		t.Errorf("took %v", took)
	}
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error = %v, want *Faults", err)
	}
	if strings.Contains(err.Error(), literalSecret) {
		t.Errorf("the message holds the secret: %s", err)
	}
	lines := strings.Split(err.Error(), "\n")
	return lines[2]
}

func TestAFileThatIsNotTextIsAFault(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"UTF-16", "\xff\xfes\x00e\x00", "f:1:1: this byte is not UTF-8"},
		{"Latin-1", "server:\n  public_url: https://b\xfccher.example", "f:2:24: this byte is not UTF-8"},
		{"NUL", "admin: {token: hunter2\x00}", "f:1:23: there is a control character (U+0000)"},
		{"escape", "server:\n  listen: \x1b[31m", "f:2:11: there is a control character (U+001B)"},
		{"byte order mark inside", "a: 1\n\ufeffb: 2", "f:2:1: there is a byte order mark in the middle of the text"},
		{"too large", strings.Repeat("# hunter2\n", maxFile/10+1), "f:1:1: the file is larger than 1024 KiB"},
		{"tag without end", "server: !<hunter2", "f:1:1: this is not valid YAML: did not find the expected '>'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := faultAt(t, c.data); got != c.want {
				t.Errorf("fault = %q, want %q", got, c.want)
			}
		})
	}
}

func TestHugeAndDeepFilesAreRefusedInTime(t *testing.T) {
	for name, data := range map[string]string{
		"flow":         strings.Repeat("[", maxFile),
		"flow blocks":  strings.Repeat("{a: ", maxFile/4),
		"dashes":       strings.Repeat("- ", maxFile/2),
		"keys":         strings.Repeat("? ", maxFile/2),
		"anchors":      "x: [" + strings.Repeat("&a a, ", maxFile/8) + "]",
		"unknown keys": strings.Repeat("hunter2a: 1\n", maxFile/12),
		"one line":     "{" + strings.Repeat("client_secret: hunter2, ", maxFile/26) + "}",
		"routes":       "routes: [" + strings.Repeat("{x: hunter2}, ", maxFile/16) + "]",
		"same route":   "routes:\n" + strings.Repeat("- {path: /a}\n", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			data := strings.ReplaceAll(data, "hunter2a", "k")
			faultAt(t, data)
		})
	}
}

func TestNoMoreThanAHundredFaultsArePrinted(t *testing.T) {
	_, err := Parse("f", []byte(strings.Repeat("- x\n", 3)+"x: y"), testEnv)
	if err == nil {
		t.Fatal("no fault")
	}
	_, err = Parse("f", []byte(complete("routes:\n"+strings.Repeat("  - x\n", 250))), testEnv)
	const head, tail = "the configuration has 250 faults\n", "\nand 150 more"
	if err == nil || !strings.HasPrefix(err.Error(), head) || !strings.HasSuffix(err.Error(), tail) {
		t.Errorf("faults = %.60v…", err)
	}
}

func TestAByteOrderMarkAtTheStartIsSkipped(t *testing.T) {
	parse(t, "\ufeff"+complete(""))
}

func TestLineBreaksAreCountedAsYAMLDoes(t *testing.T) {
	const want = "f:4:6: log is a single value, not a block of keys"
	if got := faultAt(t, complete("# a\u2028# b\r\n# c\rlog: x\n")); got != want {
		t.Errorf("fault = %q, want %q", got, want)
	}
}

func TestASecretOverSeveralLinesIsHidden(t *testing.T) {
	for name, data := range map[string]string{
		"block":  "admin:\n  token: |\n    hunter2\n    hunter2\n  x: 1\n",
		"folded": "admin:\n  token: a\n    hunter2\n    hunter2\n  x: 1\n",
		"flow":   "admin: {token: a\n  hunter2, x: 1}\n",
		"quoted": "admin: {token: \"a\n  hunter2\", x: 1}\n",
		"nested": "admin: {token: [a,\n  hunter2], x: 1}\n",
	} {
		t.Run(name, func(t *testing.T) { faultAt(t, complete(data)) })
	}
}

func TestReferencesAreReplacedWithinATextAndOnce(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"DIR": "/var/lib", "REF": "${DIR}"}[name]
		return value, ok
	}
	for text, want := range map[string]string{
		"plain":                       "plain",
		"${DIR}":                      "/var/lib",
		"sqlite:${DIR}/${DIR}.db":     "sqlite:/var/lib//var/lib.db",
		"${REF}":                      "${DIR}",
		"$${DIR}":                     "${DIR}",
		"a$${DIR}${DIR}":              "a${DIR}/var/lib",
		"$DIR $$ $":                   "$DIR $$ $",
		"${file:testdata/crlf}":       "from a file",
		"<${file:testdata/reference}": "<${CLIENT_SECRET}",
	} {
		got, f := expand(text, env)
		if f != nil || got != want {
			t.Errorf("expand(%q) = %q, %v, want %q", text, got, f, want)
		}
	}
}
