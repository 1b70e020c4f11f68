package config

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/setting"
)

// The documentation of the keys is generated from their descriptions. With -update these tests
// write the files.
const (
	exampleFile = "../cloakroom.example.yaml"
	docsFile    = "../docs/configuration.md"
	schemaFile  = "../docs/cloakroom.schema.json"
)

func TestTheReferenceHasEveryKey(t *testing.T) {
	text := read(t, docsFile)
	for _, k := range schema(New()) {
		text = withTable(t, text, k)
	}
	upToDate(t, docsFile, text)
}

func TestTheExampleFileHasEveryKey(t *testing.T) {
	head, _, _ := strings.Cut(read(t, exampleFile), "\n\n")
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, k := range schema(New()) {
		b.WriteString("\n")
		comment(&b, "", k.Doc)
		b.WriteString(k.Name + ":\n")
		if l, ok := k.Value.(setting.List); ok {
			items(&b, l)
			continue
		}
		example(&b, "  ", k.Value.(setting.Block), 0)
	}
	upToDate(t, exampleFile, b.String())
}

func TestTheJSONSchemaAcceptsTheExampleFile(t *testing.T) {
	text, err := json.MarshalIndent(document(schema(New())), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	upToDate(t, schemaFile, string(text)+"\n")
	c := jsonschema.NewCompiler()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(file string) error {
		var value any
		if err := yaml.Unmarshal([]byte(file), &value); err != nil {
			t.Fatal(err)
		}
		return s.Validate(value)
	}
	if err := validate(read(t, exampleFile)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"server: {listn: ':8080'}", "session: {idle_timeout: 30}", "routes: [{path: /a, csrf: maybe}]",
		"providers: {id: main}", "routes: [{end_with_token: perhaps}]", "session: {max_per_user: many}",
	} {
		if validate(bad) == nil {
			t.Errorf("the schema accepts %s", bad)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// upToDate compares a file with its wanted text, or writes it.
func upToDate(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, read(t, file)); diff != "" {
		t.Errorf("%s is stale; run go test ./config -update (-want +got):\n%s", file, diff)
	}
}

var table = regexp.MustCompile(`(?m)^\| key \| default \| meaning and limits \|\n(\|.*\n)+`)

// withTable replaces the table in the section of a block by the rows of its keys.
func withTable(t *testing.T, text string, block setting.Key) string {
	t.Helper()
	before, section, found := strings.Cut(text, "\n## "+block.Name+"\n")
	at := table.FindStringIndex(section)
	if !found || at == nil {
		t.Fatalf("%s has no section %s with a table of keys", docsFile, block.Name)
	}
	var rows strings.Builder
	rows.WriteString("| key | default | meaning and limits |\n|---|---|---|\n")
	setting.Block{block}.Walk(func(path string, k setting.Key) {
		if _, deeper := k.Value.(setting.Block); path != block.Name && (!deeper || k.Default != "") {
			fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", path, defaultOf(k), k.Doc)
		}
	})
	return before + "\n## " + block.Name + "\n" + section[:at[0]] + rows.String() + section[at[1]:]
}

func defaultOf(k setting.Key) string {
	switch text := k.Value.Text(); {
	case k.Default != "":
		return k.Default
	case text == "":
		return "none"
	default:
		return "`" + text + "`"
	}
}

// items writes the items of a list of blocks: as many as the key with the most examples has.
func items(b *strings.Builder, l setting.List) {
	most := 0
	longest := func(_ string, k setting.Key) { most = max(most, len(k.Example)) }
	setting.Block{{Name: "x", Value: l}}.Walk(longest)
	l.Grow(most)
	for i := range most {
		var item strings.Builder
		example(&item, "    ", l.Item(i).(setting.Block), i)
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("  - " + strings.TrimPrefix(item.String(), "    ")) // the dash may stand before a comment
	}
}

// example writes the keys of a block that have an example for the item. At the first item that has
// a key, the first sentence of its documentation stands above it.
func example(b *strings.Builder, indent string, keys setting.Block, item int) {
	for _, k := range keys {
		if below, ok := k.Value.(setting.Block); ok {
			if item == 0 {
				comment(b, indent, k.Doc)
				b.WriteString(indent + k.Name + ":\n")
				example(b, indent+"  ", below, 0)
			}
			continue
		}
		if item >= len(k.Example) || k.Example[item] == "" {
			continue
		}
		if firstItem(k) == item {
			comment(b, indent, k.Doc)
		}
		value, commented := strings.CutPrefix(k.Example[item], "# ")
		if commented {
			b.WriteString(indent + "# " + k.Name + ": " + value + "\n")
			continue
		}
		b.WriteString(indent + k.Name + ": " + value + "\n")
	}
}

func firstItem(k setting.Key) int {
	for i, e := range k.Example {
		if e != "" {
			return i
		}
	}
	return -1
}

var sentenceEnd = regexp.MustCompile("\\. [A-Z`]")

var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// comment writes the first sentence of a key's documentation as a comment.
func comment(b *strings.Builder, indent, doc string) {
	if at := sentenceEnd.FindStringIndex(doc); at != nil {
		doc = doc[:at[0]]
	}
	doc = link.ReplaceAllString(strings.ReplaceAll(doc, "`", ""), "$1")
	line := indent + "#"
	for word := range strings.FieldsSeq(doc) {
		if len(line)+len(word)+1 > 100 {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	b.WriteString(line + ".\n")
}

// Patterns of the JSON Schema.
const (
	durationPattern = `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`
	sizePattern     = `^[0-9]+(\.[0-9]+)? ?([KMGT]iB|B)?$`
)

// anyReference is the schema of a value with a ${…}, which may stand for anything.
var anyReference = pattern(`\$\{`)

func pattern(p string) map[string]any { return map[string]any{"type": "string", "pattern": p} }

// document is the JSON Schema (2020-12) of the file.
func document(keys setting.Block) map[string]any {
	d := schemaOf(keys)
	d["$schema"], d["title"] = "https://json-schema.org/draft/2020-12/schema", "cloakroom.yaml"
	return d
}

func schemaOf(v setting.Value) map[string]any {
	switch v := v.(type) {
	case setting.Block:
		properties := map[string]any{}
		for _, k := range v {
			p := schemaOf(k.Value)
			p["description"] = k.Doc
			if text := k.Value.Text(); text != "" {
				p["default"] = text
			}
			properties[k.Name] = p
		}
		return map[string]any{
			"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false,
		}
	case setting.List:
		v.Grow(1)
		return map[string]any{"type": []string{"array", "null"}, "items": schemaOf(v.Item(0))}
	case setting.StringMap:
		text := map[string]any{"type": []string{"string", "number", "boolean"}}
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": text}
	case setting.Scalar:
		return map[string]any{"anyOf": []any{scalarSchema(v), anyReference}}
	}
	return nil
}

func scalarSchema(s setting.Scalar) map[string]any {
	switch {
	case len(s.Words) > 0:
		return map[string]any{"enum": s.Words}
	case s.Kind == setting.Boolean:
		return map[string]any{"type": "boolean"}
	case s.Kind == setting.Integer:
		return wholeNumber()
	case s.Kind == setting.Duration:
		return map[string]any{"anyOf": []any{map[string]any{"const": 0}, pattern(durationPattern)}}
	case s.Kind == setting.Size:
		return map[string]any{"anyOf": []any{wholeNumber(), pattern(sizePattern)}}
	default:
		return map[string]any{"type": []string{"string", "number"}}
	}
}

func wholeNumber() map[string]any { return map[string]any{"type": "integer", "minimum": 0} }
