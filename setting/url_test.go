package setting

import "testing"

// PX4: every server reads a path of the configuration in the same way.
func TestPlainPathsAreReadInOneWay(t *testing.T) {
	for path, want := range map[string]bool{
		"": true, "/": true, "/bff": true, "/api/v2/": true, "/a.b/..c/d..": true, "/...": true,
		"/a:b/@c/~d/e,f": true,
		"/%2e":           false, "/a%2Fb": false, `/a\b`: false, "/a;v=1": false, "//": false,
		"/a//b": false, "/.": false, "/a/./b": false, "/..": false, "/a/..": false,
	} {
		if got := IsPlainPath(path); got != want {
			t.Errorf("%q is plain = %v, want %v", path, got, want)
		}
	}
}
