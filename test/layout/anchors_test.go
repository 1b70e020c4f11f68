package layout

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	// heading is a heading of Markdown, and anchored a link to one, in the same file or another.
	heading  = regexp.MustCompile(`^#{1,6} +(.*)`)
	anchored = regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)

	// linked is a link within a heading, and unspoken what GitHub leaves out of an anchor.
	linked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	unspoken = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// anchorOf is the anchor that GitHub gives a heading.
func anchorOf(text string) string {
	text = linked.ReplaceAllString(strings.TrimSpace(text), "$1")
	return strings.ReplaceAll(unspoken.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
}

// lost are the links of Markdown files whose anchor is no heading of the file that they name.
func lost(lines []comment) []string {
	anchors := map[string]bool{}
	for _, l := range lines {
		if m := heading.FindStringSubmatch(l.text); m != nil {
			anchors[l.path+"#"+anchorOf(m[1])] = true
		}
	}
	var found []string
	for _, l := range lines {
		if path.Ext(l.path) != ".md" {
			continue
		}
		for _, m := range anchored.FindAllStringSubmatch(l.text, -1) {
			to := l.path
			if m[1] != "" {
				to = path.Join(path.Dir(l.path), m[1])
			}
			if path.Ext(to) == ".md" && !anchors[to+"#"+m[2]] {
				found = append(found, fmt.Sprintf("%s: links to %s#%s; there is no such heading", l.path, to, m[2]))
			}
		}
	}
	return found
}

func TestLinksLeadToHeadings(t *testing.T) {
	lines, err := readTexts("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range lost(lines) {
		t.Error(fault)
	}
}

// TestLostLinksAreFound: a check that can't fail checks nothing.
func TestLostLinksAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"[errors](#the-errors-of-get-user)":                 "",
		"[errors](#errors)":                                 "links to docs/x.md#errors",
		"[a](y.md#which-store), [b](../README.md#try-it)":   "",
		"[a](y.md#what-store)":                              "links to docs/y.md#what-store",
		"[elsewhere](https://example.org/y.md#what-store)":  "",
		"[a line of a file that is not text](y.go#L10-L20)": "",
	} {
		found := strings.Join(lost([]comment{
			{"docs/x.md", "## The errors of `GET /user`\n"},
			{"docs/y.md", "### Which store?\n"},
			{"README.md", "## Try it\n"},
			{"docs/x.md", text},
		}), "\n")
		if want == "" && found != "" || !strings.Contains(found, want) {
			t.Errorf("%s: faults = %q, want %q in them", text, found, want)
		}
	}
}
