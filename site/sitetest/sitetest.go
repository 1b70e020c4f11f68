// Package sitetest makes public addresses for tests. It knows nothing but package site.
package sitetest

import (
	"net/url"
	"testing"

	"github.com/cloakroom/cloakroom/site"
)

// New returns the Site of a public URL with the given options, or ends the test.
func New(t testing.TB, publicURL string, o site.Options) *site.Site {
	t.Helper()
	u, err := url.Parse(publicURL)
	if err != nil {
		t.Fatalf("public URL of the test: %v", err)
	}
	o.PublicURL = u
	s, err := site.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
