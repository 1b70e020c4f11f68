package config

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// Load reads the file at path, with ${NAME} from the environment. Paths in it are relative to the
// working directory. A file that could be read and is wrong gives *Faults.
func Load(path string) (*Config, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("read configuration: %s is larger than 1 MiB", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads a configuration from data; name is what faults call it, env looks a ${NAME} up.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	f := &Faults{name: name, lines: strings.Split(string(data), "\n"), secret: map[int]bool{}}
	root := f.parseYAML(data)
	c := defaults()
	if root != nil {
		d := &decoder{faults: f, env: env, config: c, at: map[string]*yaml.Node{}}
		d.file(root)
		if len(f.all) == 0 {
			d.check()
		}
	}
	if len(f.all) > 0 {
		return nil, f
	}
	return c, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// parseYAML returns the file's one mapping, nil after a fault.
func (f *Faults) parseYAML(data []byte) *yaml.Node {
	if len(data) > maxFile {
		f.add(1, 1, "the file is larger than 1 MiB", "a configuration is a few kilobytes; is this the right file?")
		return nil
	}
	if !utf8.Valid(data) {
		f.add(1, 1, "the file is not UTF-8 text", "save it as UTF-8")
		return nil
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		line, what := 1, "the file is empty"
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1]) // the expression wants digits
			what = "this is not YAML: " + m[2]
		}
		f.add(line, 1, what, "indent with spaces, two for each level; see cloakroom.example.yaml")
		return nil
	}
	if dec.Decode(&more) == nil {
		f.add(more.Line, more.Column, "a second document begins here", "keep everything in one; take the --- out")
		return nil
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		f.add(1, 1, "the file is no mapping of keys to values", "see cloakroom.example.yaml")
		return nil
	}
	return doc.Content[0]
}
