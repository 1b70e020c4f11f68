package identity

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func TestEverySpellingOfAFieldIsKnown(t *testing.T) {
	fields := Fields()
	if !slices.IsSorted(fields) || len(slices.Compact(slices.Clone(fields))) != len(fields) {
		t.Errorf("fields = %q, want each once, in order", fields)
	}
	for _, name := range fields {
		if name != textproto.CanonicalMIMEHeaderKey(name) {
			t.Errorf("%s is not in canonical form", name)
		}
		for _, spelled := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"),
			strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."),
		} {
			if !Is(spelled) {
				t.Errorf("%s is not taken for an identity", spelled)
			}
		}
	}
	for _, prefix := range Prefixes() {
		underscored := strings.ReplaceAll(strings.ToLower(prefix), "-", "_")
		if !Is(prefix+"Anything") || !Is(underscored+"anything") {
			t.Errorf("%s… is not taken for an identity", prefix)
		}
		if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, prefix) }) {
			t.Errorf("no field with the prefix %s is listed for proxies that can't remove prefixes", prefix)
		}
	}
	for _, name := range []string{"", "Accept", "X-Users", "Authorization", "X-Forwarded-For", "Remote", "Cookie"} {
		if Is(name) {
			t.Errorf("%q is taken for an identity", name)
		}
	}
	for name, want := range map[string]bool{
		"X-Auth-Request-Anything": true, "x-auth-request-x": true, "Remote-Anything": true,
		"X_Auth_Request_User": true, "x_auth_request_anything": true, "Remote.User": true,
		User: false, "X-Auth-Request-Groups": false, "Remote-Addr": false, "Remote_Addr": false,
		"X-Remote-Ip": false, "X-Forwarded-For": false, "Accept": false, "X_Plain": false,
	} {
		if got := IsUnlisted(name); got != want {
			t.Errorf("%s is unlisted = %v, want %v", name, got, want)
		}
	}
}
