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
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", ".")} {
			if !Is(spelled) {
				t.Errorf("%s is taken for no identity", spelled)
			}
		}
	}
	for _, family := range Families() {
		if !Is(family+"Anything") || !Is(strings.ReplaceAll(strings.ToLower(family), "-", "_")+"anything") {
			t.Errorf("%s… is taken for no identity", family)
		}
		if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, family) }) {
			t.Errorf("no field of the family %s is named, so that a proxy which can't remove families keeps none", family)
		}
	}
	for _, name := range []string{"", "Accept", "X-Users", "Authorization", "X-Forwarded-For", "Remote", "Cookie"} {
		if Is(name) {
			t.Errorf("%q is taken for an identity", name)
		}
	}
	for name, want := range map[string]bool{
		"X-Auth-Request-Anything": true, "x-auth-request-x": true, User: false, "X-Auth-Request-Groups": false, "Remote-Addr": false, "X-Remote-Ip": false, "Accept": false,
		"Remote-Anything": true, "X_Auth_Request_User": true, "x_auth_request_anything": true, "Remote.User": true, "Remote_Addr": false, "X-Forwarded-For": false, "X_Plain": false,
	} {
		if got := Stray(name); got != want {
			t.Errorf("%s is stray = %v, want %v", name, got, want)
		}
	}
}
