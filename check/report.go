package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// marks are the first column of a row: a symbol and the status.
var marks = map[Status]string{OK: "✓ ok     ", Warning: "! warning", Wrong: "✗ wrong  ", Skipped: "- skipped"}

// Write writes the report as text for a person, or as JSON for a program.
func (r *Report) Write(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			OK bool `json:"ok"`
			*Report
		}{r.OK(), r})
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s  %-13s %s: %s\n", marks[f.Status], f.Area, f.Name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "%25s→ %s\n", "", f.Remedy)
		}
	}
	for _, u := range r.Register {
		fmt.Fprintf(&b, "\nRegister at provider %q:\n", u.Provider)
		fmt.Fprintf(&b, "  redirect URI             %s\n", u.Redirect)
		fmt.Fprintf(&b, "  post-logout redirect URI %s\n", u.PostLogoutRedirect)
		fmt.Fprintf(&b, "  back-channel logout URI  %s\n", u.BackchannelLogout)
		fmt.Fprintf(&b, "  front-channel logout URI %s\n", u.FrontchannelLogout)
		if u.JWKS != "" {
			fmt.Fprintf(&b, "  JWKS URI (our public key) %s\n", u.JWKS)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
