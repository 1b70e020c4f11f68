package handlers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"
)

// docs/openapi.yaml describes every mounted endpoint and method, and no other. The tests of client
// check the answers against it.
func TestEveryEndpointIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, methods := range api.Paths {
		for method := range methods {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	if want := mounted(); !cmp.Equal(described, want) {
		t.Errorf("described and not mounted (-), mounted and not described (+):\n%s", cmp.Diff(described, want))
	}
}

var pathParameter = regexp.MustCompile(`:(\w+)`)

// mounted returns what Mount mounts, as OpenAPI writes it. An endpoint names its methods in the
// answer to another method.
func mounted() map[string]bool {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = c.NoContent(problemOf(err).Status) }
	new(Handlers).Mount(e.Group(""))
	all := map[string]bool{}
	for _, route := range e.Routes() {
		if route.Method == echo.RouteNotFound {
			continue
		}
		if route.Path == "/auth/*" { // answers any method alike
			all["GET /auth/{path}"] = true
			continue
		}
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, httptest.NewRequest(http.MethodTrace, route.Path, nil))
		for method := range strings.SplitSeq(answer.Result().Header.Get("Allow"), ", ") {
			all[method+" "+pathParameter.ReplaceAllString(route.Path, "{$1}")] = true
		}
	}
	return all
}
