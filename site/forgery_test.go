package site

import (
	"net/http"
	"strings"
	"testing"
)

// CS2, CS3: what a browser marks as another origin's is foreign, and so is every mark that is not known.
func TestMarksOfABrowserAreJudgedInOnePlace(t *testing.T) {
	o := Origins{Public: "https://app.example.com", Allowed: []string{"https://spa.example.com"}}
	for marks, want := range map[string]Verdict{
		"":                            Unmarked,
		"Sec-Fetch-Site: same-origin": Own,
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors":        Own,
		"Sec-Fetch-Site: same-origin|Referer: https://evil.example/": Own, // which no browser sends
		"Sec-Fetch-Site: none":                                        Typed,
		"Sec-Fetch-Site: none|Sec-Fetch-Mode: no-cors":                Foreign,
		"Sec-Fetch-Site: same-site":                                   Foreign,
		"Sec-Fetch-Site: cross-site":                                  Foreign,
		"Sec-Fetch-Site: bogus":                                       Foreign,
		"Sec-Fetch-Site: Same-Origin":                                 Foreign,
		"Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site":      Foreign,
		"Sec-Fetch-Site: same-origin, cross-site":                     Foreign,
		"Sec-Fetch-Mode: bogus":                                       Foreign,
		"Sec-Fetch-Mode: Navigate":                                    Foreign,
		"Sec-Fetch-Site: none|Sec-Fetch-Mode: bogus":                  Foreign,
		"Sec-Fetch-Mode: no-cors":                                     Foreign,
		"Sec-Fetch-Mode: no-cors|Referer: https://app.example.com/":   Foreign,
		"Origin: https://app.example.com":                             Own,
		"Origin: https://app.example.com|Sec-Fetch-Site: same-origin": Own,
		"Origin: https://app.example.com|Sec-Fetch-Site: cross-site":  Foreign,
		"Origin: http://app.example.com":                              Foreign,
		"Origin: https://app.example.com:444":                         Foreign,
		"Origin: https://app.example.com.evil.example":                Foreign,
		"Origin: null": Foreign,
		"Origin: null|Sec-Fetch-Site: same-origin":                         Foreign,
		"Origin: https://app.example.com|Origin: https://evil.example":     Foreign,
		"Origin: https://spa.example.com|Sec-Fetch-Site: same-site":        Own,
		"Origin: https://spa.example.com":                                  Own,
		"Referer: https://app.example.com/page?q":                          Own,
		"Referer: https://app.example.com":                                 Own,
		"Referer: https://spa.example.com/":                                Own,
		"Referer: https://sibling.example.com/":                            Referred,
		"Referer: https://app.example.com.evil.example/":                   Referred,
		"Referer: https://app.example.com@evil.example/":                   Referred,
		"Referer: http://app.example.com/":                                 Referred,
		"Referer: /page":                                                   Referred,
		"Referer: https://app.example.com/|Referer: https://evil.example/": Foreign,
		"Referer: https://evil.example/|Origin: https://app.example.com":   Own,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			r := &http.Request{Method: method, Header: http.Header{}}
			for line := range strings.SplitSeq(marks, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			want := want
			if strings.HasPrefix(marks, "Referer") && !strings.Contains(marks, "Origin") && !Reads(r) {
				want = Unmarked // what writes bears an Origin; a Referer is no proof for it
			}
			if got := o.Judge(r); got != want {
				t.Errorf("%s with %q = %d, want %d", method, marks, got, want)
			}
		}
	}
}
