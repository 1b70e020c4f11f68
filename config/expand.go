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

// variable is what the name of an environment variable looks like.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reference matches a text that is one reference and nothing else. It shows no secret, only where
// one comes from.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\}$`)

// expand puts in what ${NAME} and ${file:PATH} stand for, once: what comes from there is not looked at
// again. $${ stands for ${. The fault names the variable or the file, never a value.
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
			return "", setting.NewFault("has a ${ without its }", "write ${NAME} or ${file:PATH}; a ${ that is meant as it stands is written $${")
		}
		value, w := lookUp(name, env)
		if w != nil {
			return "", w
		}
		b.WriteString(value)
		text = after
	}
}

func lookUp(name string, env func(string) (string, bool)) (string, *setting.Fault) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return readSecretFile(path)
	}
	if !variable.MatchString(name) {
		return "", setting.NewFault("has a ${…} that is neither ${NAME} nor ${file:PATH}", "a name holds letters, digits and underscores; there are no defaults. A ${ that is meant as it stands is written $${")
	}
	value, ok := env(name)
	switch {
	case !ok:
		return "", setting.NewFault("needs the environment variable "+name+", which is not set", "set "+name+" before the start, or take it from a mounted file: ${file:/run/secrets/…}")
	case !utf8.ValidString(value):
		return "", setting.NewFault("needs the environment variable "+name+", whose value is not UTF-8", "set "+name+" to text")
	}
	return value, nil
}

// readSecretFile reads a mounted secret without its trailing newline.
func readSecretFile(path string) (string, *setting.Fault) {
	problem := func(what string) (string, *setting.Fault) {
		return "", setting.NewFault(fmt.Sprintf("needs the file %q, %s", path, what), "give the path of a text file that the service may read; a relative one begins at the working directory")
	}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return problem("which can't be read: " + reason(err))
	case !st.Mode().IsRegular():
		return problem("which is no ordinary file") // a pipe would stop the start until somebody writes
	}
	f, err := os.Open(path)
	if err != nil {
		return problem("which can't be read: " + reason(err))
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return problem("which can't be read: " + reason(err))
	case len(data) > maxFile:
		return problem(fmt.Sprintf("which is larger than %d KiB", maxFile>>10))
	case !utf8.Valid(data):
		return problem("which is not UTF-8 text")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// reason is an error of the file system without the path, which the fault names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
