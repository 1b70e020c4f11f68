package odd

import (
	"html/template"
	"net/http"
	"net/url"
)

// formPost is the page that posts the response (OAuth 2.0 Form Post Response Mode).
var formPost = template.Must(template.New("").Parse(`<!doctype html><title>odd</title>
<body onload="document.forms[0].submit()"><form method="post" action="{{.To}}">
{{range $name, $values := .Values}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}</form></body>`))

func writeForm(w http.ResponseWriter, to string, values url.Values) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = formPost.Execute(w, struct {
		To     string
		Values url.Values
	}{to, values})
}
