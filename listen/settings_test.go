package listen

import "testing"

func TestListenersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		address, host, port string
		want                bool
	}{
		{"127.0.0.1:9090", "127.0.0.1", "9090", true},
		{"127.0.0.1:9090", "127.0.0.1", "9091", false},
		{"127.0.0.1:9090", "127.0.0.2", "9090", false},
		{"127.0.0.1:9090", "localhost", "9090", true},
		{"localhost:9090", "::1", "9090", true},
		{"127.0.0.1:9090", "::ffff:127.0.0.1", "9090", true},
		{"127.0.0.1:9090", "0.0.0.0", "9090", true},
		{"127.0.0.1:9090", "10.0.0.1", "9090", false},
		{":9090", "127.0.0.1", "9090", true},
		{":9090", "::", "9090", true},
		{"[::]:9090", "api.localhost", "9090", true},
		{":9090", "api.internal", "9090", false},
		{"Admin.internal:9090", "admin.internal", "9090", true},
		{"127.0.0.1:0", "127.0.0.1", "0", false},
		{"127.0.0.1:09090", "127.0.0.1", "9090", true},
	} {
		if got := listensOn(c.address, c.host, c.port); got != c.want {
			t.Errorf("listensOn(%q, %q, %q) = %v, want %v", c.address, c.host, c.port, got, c.want)
		}
	}
}
