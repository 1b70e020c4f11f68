package cloakroom_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/embedding.md quotes the examples verbatim, and each has at most 15 lines.
func TestTheGuideShowsTheExamples(t *testing.T) {
	guide, err := os.ReadFile("docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.NewReplacer("settings()", "cfg", "Options{Logger: quiet}", "Options{}", "\n\t", "\n")
	for name, leftOut := range map[string]string{
		"Example_netHTTP": "", "Example_echo": "", "Example_shutdown": `.*?\n\n\t`, // its first paragraph
	} {
		m := regexp.MustCompile(`(?s)func ` + name + `\(\) \{\n\t` + leftOut + `(.*?)\n\n`).FindSubmatch(source)
		if m == nil {
			t.Fatalf("%s is gone", name)
		}
		lines := shown.Replace(string(m[1]))
		if n := strings.Count(lines, "\n") + 1; n > 15 {
			t.Errorf("%s takes %d lines, want at most 15", name, n)
		}
		if !strings.Contains(string(guide), "```go\n"+lines+"\n```") {
			t.Errorf("docs/embedding.md does not show %s as it runs:\n%s", name, lines)
		}
	}
}
