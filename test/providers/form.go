package providers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A Form is a form of a page with the initial values of its fields.
type Form struct {
	Action, Method string
	Fields         url.Values
}

// Has says whether a form has a field of this name.
func (f Form) Has(field string) bool { _, ok := f.Fields[field]; return ok }

// forms returns a page's forms. Buttons are not fields; Submit's fill adds a pressed one.
func forms(t testing.TB, page string) []Form {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("read page: %v", err)
	}
	var all []Form
	for n := range root.Descendants() {
		if n.DataAtom == atom.Form {
			all = append(all, readForm(n))
		}
	}
	return all
}

func readForm(n *html.Node) Form {
	f := Form{Action: attribute(n, "action"), Method: attribute(n, "method"), Fields: url.Values{}}
	if f.Method == "" {
		f.Method = http.MethodGet
	}
	for field := range n.Descendants() {
		if name := attribute(field, "name"); name != "" && field.DataAtom == atom.Input {
			f.Fields.Add(name, attribute(field, "value"))
		}
	}
	return f
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// Through fills in a provider's login, consent and logout forms until the navigation has left the
// provider, or shows a page with nothing to fill in.
func (b *Browser) Through(p *OIDCProvider, page *Answer, user string) *Answer {
	b.t.Helper()
	for range maxRedirects {
		if !strings.HasPrefix(page.URL.String(), p.Issuer) || len(page.Forms) == 0 {
			return page
		}
		page = b.Submit(page, page.Forms[0], answerTo(page.Forms[0], user))
	}
	b.t.Fatalf("still at the provider after %d forms: %s", maxRedirects, page.URL)
	return nil
}

// answerTo is how a user who agrees fills in a form of oidc-provider.
func answerTo(f Form, user string) url.Values {
	switch {
	case f.Has("login"):
		return url.Values{"login": {user}, "password": {"any"}}
	case f.Has("xsrf"):
		return url.Values{"logout": {"yes"}}
	}
	return nil
}
