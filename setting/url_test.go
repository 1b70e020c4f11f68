package setting

import "testing"

// PX4: what an operator writes as a path is read in one way.
func TestPlainPathsMeanTheSameToEverybody(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/bff": true, "/api/v2/": true, "/a.b/..c/d..": true, "/...": true, "/a:b/@c/~d/e,f": true, "": true,
		"/%2e": false, "/a%2Fb": false, `/a\b`: false, "/a;v=1": false, "//": false, "/a//b": false, "/.": false, "/a/./b": false, "/..": false, "/a/..": false,
	} {
		if got := IsPlainPath(path); got != want {
			t.Errorf("%q is plain = %v, want %v", path, got, want)
		}
	}
}
