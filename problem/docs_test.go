package problem

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var (
	tableRow  = regexp.MustCompile("(?m)^\\| (`[a-z_]+`(?: · `[a-z_]+`)*) \\| (\\d{3}) \\|")
	codeInRow = regexp.MustCompile("`([a-z_]+)`")
)

var declared = regexp.MustCompile(`(?m)^\t\w+ +Code = "([a-z_]+)"`)

// New makes a code without words an internal error.
func TestEveryCodeHasWords(t *testing.T) {
	source, err := os.ReadFile("code.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := declared.FindAllStringSubmatch(string(source), -1)
	for _, code := range codes {
		if w := table[Code(code[1])]; w.status == 0 || w.title == "" {
			t.Errorf("%s has no words: %+v", code[1], w)
		}
	}
	if len(codes) != len(table) {
		t.Errorf("%d codes are declared, and %d have words", len(codes), len(table))
	}
}

// generalText are the codes without a page text of their own: users hardly ever get them.
var generalText = []Code{
	MethodNotAllowed, BadRequest, InternalError, MisdirectedRequest, RequestTimeout, RequestTooLarge,
	NavigationRequired, InvalidLogoutToken, NotRenewable, ClientGone,
}

// Each other code has a page text in each language, and each page text belongs to a code.
func TestEveryCodeHasAPageText(t *testing.T) {
	others := []string{"error.other", "failed", "failed.title", "failed.says", "failed.other_host", "failed.plain_http"}
	locales, err := filepath.Glob("../templates/locales/*.json")
	if err != nil || len(locales) < 3 {
		t.Fatalf("%d languages, %v", len(locales), err)
	}
	for _, locale := range locales {
		language := strings.TrimSuffix(filepath.Base(locale), ".json")
		file, err := os.ReadFile(locale)
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(file, &texts); err != nil {
			t.Fatal(err)
		}
		for code := range table {
			key := "error." + string(code)
			told := texts[key] != "" && texts[key+".do"] != "" || texts["failed."+string(code)] != ""
			switch general := slices.Contains(generalText, code); {
			case told && general:
				t.Errorf("%s: %s has a page text; take it out of generalText", language, code)
			case !told && !general:
				t.Errorf("%s: %s has no page text; write %s and %s.do, or failed.%s for logins, or add it to generalText",
					language, code, key, key, code)
			}
		}
		for key := range texts {
			text := strings.TrimSuffix(key, ".do")
			page, code, _ := strings.Cut(text, ".")
			_, known := table[Code(code)]
			if (page == "error" || page == "failed") && !known && !slices.Contains(others, text) {
				t.Errorf("%s: %s is about no code", language, key)
			}
		}
	}
}

// Apps decide by the code, so docs/endpoints.md has each with its status, and docs/openapi.yaml
// each.
func TestEveryCodeIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/endpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[Code]string{}
	for _, row := range tableRow.FindAllStringSubmatch(string(page), -1) {
		for _, code := range codeInRow.FindAllStringSubmatch(row[1], -1) {
			documented[Code(code[1])] = row[2]
		}
	}
	described, reasonsFor401 := describedCodes(t)
	for code, w := range table {
		if code == ClientGone {
			continue // it is only logged
		}
		if documented[code] != strconv.Itoa(w.status) {
			t.Errorf("docs/endpoints.md: %s is %q, want %d", code, documented[code], w.status)
		}
		if !slices.Contains(described, code) {
			t.Errorf("docs/openapi.yaml does not have %s", code)
		}
		if slices.Contains(reasonsFor401, code) != (w.status == 401) {
			t.Errorf("docs/openapi.yaml: the 401s are %v; %s is %d", reasonsFor401, code, w.status)
		}
		delete(documented, code)
	}
	if len(documented) > 0 || len(described) != len(table)-1 {
		t.Errorf("documented and not there: %v; in docs/openapi.yaml %d codes, want %d", documented, len(described), len(table)-1)
	}
}

// describedCodes are the codes of docs/openapi.yaml: all, and those of a 401.
func describedCodes(t *testing.T) (all, unauthenticated []Code) {
	t.Helper()
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var api map[string]any
	if err := yaml.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	codes := func(path string) (all []Code) {
		var at any = api
		for step := range strings.SplitSeq(path, " ") {
			switch v := at.(type) {
			case map[string]any:
				at = v[step]
			case []any:
				i, _ := strconv.Atoi(step)
				at = v[i]
			}
		}
		for _, code := range at.([]any) {
			all = append(all, Code(fmt.Sprint(code)))
		}
		return all
	}
	return codes("components schemas Problem properties code enum"),
		codes("components responses Unauthenticated content application/problem+json schema allOf 1 properties code enum")
}
