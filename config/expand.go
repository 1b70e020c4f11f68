package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/setting"
)

// variable matches the name of an environment variable.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reference matches a text that is a single reference. It may be shown: it names the source of a
// secret, not the secret.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\}$`)

// expand replaces ${NAME} and ${file:PATH} by their values, and $${ by ${. It does not expand the
// values again. A fault names the variable or the file, never a value.
func expand(text string, env func(string) (string, bool)) (string, *setting.Fault) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", setting.NewFault("has a ${ without its }", "write ${NAME} or ${file:PATH}; "+literalDollar)
		}
		value, f := lookUp(name, env)
		if f != nil {
			return "", f
		}
		b.WriteString(value)
		text = after
	}
}

const literalDollar = "write a literal ${ as $${"

func lookUp(name string, env func(string) (string, bool)) (string, *setting.Fault) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return readSecretFile(path)
	}
	if !variable.MatchString(name) {
		return "", setting.NewFault("has a ${…} that is neither ${NAME} nor ${file:PATH}",
			"a name holds letters, digits and underscores; there are no defaults; "+literalDollar)
	}
	value, ok := env(name)
	switch {
	case !ok:
		return "", setting.NewFault("needs the environment variable "+name+", which is not set",
			"set "+name+" before the start, or take it from a mounted file: ${file:/run/secrets/…}")
	case !utf8.ValidString(value):
		return "", setting.NewFault("needs the environment variable "+name+", whose value is not UTF-8",
			"set "+name+" to text")
	}
	return value, nil
}

// readSecretFile returns the content of a file without its trailing newline.
func readSecretFile(path string) (string, *setting.Fault) {
	problem := func(what string) (string, *setting.Fault) {
		return "", setting.NewFault(fmt.Sprintf("needs the file %q, %s", path, what), "give the path of a "+
			"text file that the service may read; a relative one begins at the working directory")
	}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return problem("which can't be read: " + withoutPath(err))
	case !st.Mode().IsRegular():
		return problem("which is not a regular file") // reading a pipe could block forever
	}
	f, err := os.Open(path)
	if err != nil {
		return problem("which can't be read: " + withoutPath(err))
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return problem("which can't be read: " + withoutPath(err))
	case len(data) > maxFile:
		return problem(fmt.Sprintf("which is larger than %d KiB", maxFile>>10))
	case !utf8.Valid(data):
		return problem("which is not UTF-8 text")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// withoutPath returns the text of a file system error without the path, which the fault names
// already.
func withoutPath(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
