package devprovider

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed pages/*.html
var pageFiles embed.FS

// A page is the data of the template. An empty field omits its part of the page.
type page struct {
	Title, Heading, Text, Error string

	Attempt   string // id of the authorization request
	Client    string
	Hint      string // login_hint
	Users     []User
	SignedIn  *User
	Delivered []delivery
	Status    *Status
}

func show(w http.ResponseWriter, code int, p page) {
	t, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		http.Error(w, "the development provider's page does not parse", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: browsers also apply it to the redirects after the form, which lead to the
	// client.
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	_ = t.ExecuteTemplate(w, "page.html", p) // an error means that the browser is gone
}

// home shows who is logged in, with a button to log out everywhere.
func (p *Provider) home(w http.ResponseWriter, r *http.Request) {
	status := p.Status()
	pg := page{Title: "Development provider", Heading: "Development provider", Status: &status}
	if s := sessionFrom(r.Context()); s != nil {
		if u, ok := userBySubject(s.subject); ok {
			pg.SignedIn = &u
		}
	} else {
		pg.Text = "Nobody is logged in here in this browser."
	}
	show(w, http.StatusOK, pg)
}

// loginPage shows the login form, unless the browser is already logged in.
func (p *Provider) loginPage(w http.ResponseWriter, r *http.Request) {
	a, ok := p.store.attempt(r.FormValue("id"))
	if !ok {
		show(w, http.StatusBadRequest, page{
			Title: "Log in", Heading: "This login is no longer valid",
			Text: "It was completed already, or took too long. Go back to the app and start again.",
		})
		return
	}
	if a.session != nil {
		p.store.join(a.session, a.req.ClientID)
		http.Redirect(w, r, p.after(r.Context(), a.id), http.StatusFound)
		return
	}
	p.askToLogIn(w, a, http.StatusOK, "")
}

func (p *Provider) askToLogIn(w http.ResponseWriter, a *authRequest, code int, problem string) {
	show(w, code, page{
		Title: "Log in", Heading: "Log in", Error: problem, Users: Users(),
		Attempt: a.id, Client: a.req.ClientID, Hint: a.req.LoginHint,
	})
}

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	a, ok := p.store.attempt(r.PostFormValue("id"))
	if !ok {
		p.loginPage(w, r)
		return
	}
	u, ok := userByName(r.PostFormValue("username"), r.PostFormValue("password"))
	if !ok {
		p.askToLogIn(w, a, http.StatusUnauthorized, "The name or password is wrong.")
		return
	}
	session, ok := p.store.finish(a.id, u)
	if !ok {
		p.loginPage(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: session.cookie, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, p.after(r.Context(), a.id), http.StatusFound)
}

// logout ends the browser's session here and tells every client by back-channel logout.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	pg := page{
		Title: "Logged out", Heading: "You are logged out here",
		Text: "Nobody was logged in in this browser.",
	}
	if s := sessionFrom(r.Context()); s != nil {
		pg.Text = "Logout tokens were sent to the apps that you had logged in to:"
		pg.Delivered = p.sendLogoutTokens(r.Context(), s, p.store.end(s, ""))
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	show(w, http.StatusOK, pg)
}

func (p *Provider) loggedOut(w http.ResponseWriter, _ *http.Request) {
	show(w, http.StatusOK, page{Title: "Logged out", Heading: "You are logged out", Text: "You can close this window."})
}

func (s *storage) attempt(id string) (*authRequest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.attempts[id]
	return a, ok
}
