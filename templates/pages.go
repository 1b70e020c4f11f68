package templates

import "time"

// A Page is one of the values below.
type Page interface{ file() string }

// ChooseProvider lets a person choose where to log in.
type ChooseProvider struct {
	Providers []ProviderChoice
	RequestID string
}

// A ProviderChoice is one provider on the page.
type ProviderChoice struct{ ID, Name, URL string }

// LoginFailed says why a login did not work and how to try again.
type LoginFailed struct {
	Kind          string // problem code; picks the words
	ProviderError string // the provider's error code, "" when it sent none
	ProviderSays  string // its words
	Host          string // where the app should be opened; "" where that has nothing to do with it
	RetryURL      string
	RequestID     string
}

// LoginLoop says why a browser goes round between login and app.
type LoginLoop struct {
	Cause     string // picks the words
	Host      string // where the app should be opened
	RetryURL  string
	RequestID string
}

// LoggedOut says that the person is logged out.
type LoggedOut struct {
	BackURL   string // of the app
	LoginURL  string
	RequestID string
}

// ErrorPage says what went wrong with any other navigation.
type ErrorPage struct {
	Code      string // a problem.Code; picks the words
	Status    int
	LoginURL  string // "" where logging in would not help
	RequestID string
}

// Continue goes on to a path of this origin by itself, so that the browser brings its
// SameSite=Strict cookie along.
type Continue struct{ URL string }

// SilentLogin tells the window that framed it whether a person is logged in: nobody, or whom the answer to a POST
// of Confirm to ConfirmURL says.
type SilentLogin struct {
	Origin     string // the one origin that is told
	ConfirmURL string // a path of this origin; "": nobody is logged in
	Confirm    string
}

// Sessions are a person's own, with a form to end them.
type Sessions struct {
	Action       string // where the page is, and its form goes
	Token        string // what the form proves itself by
	Rows         []SessionRow
	Ending       *SessionRow // the one that is about to be ended; nil: none
	EndingOthers bool        // all others are about to be
	Others       string      // what stands for them in the form
}

// A SessionRow is one session.
type SessionRow struct {
	ID                        string
	Current                   bool
	Device, Address, Provider string // "" where not known
	Began, Active             time.Time
}

func (Sessions) file() string       { return "sessions.html" }
func (SessionRow) file() string     { return "sessions.html" }
func (ChooseProvider) file() string { return "choose_provider.html" }
func (LoginLoop) file() string      { return "login_loop.html" }
func (LoginFailed) file() string    { return "login_failed.html" }
func (LoggedOut) file() string      { return "logged_out.html" }
func (ErrorPage) file() string      { return "error.html" }
func (Continue) file() string       { return "continue.html" }
func (SilentLogin) file() string    { return "silent_login.html" }

// samples are one value of each page, to try the templates with.
var samples = [...]Page{
	ChooseProvider{Providers: []ProviderChoice{{"main", "Example", "/bff/login?provider=main"}}, RequestID: "r"},
	LoginFailed{Kind: "provider_refused", ProviderError: "server_error", ProviderSays: "down", Host: "https://app.example.com", RetryURL: "/bff/login", RequestID: "r"},
	LoginLoop{Cause: "cookie_lost", Host: "https://app.example.com", RetryURL: "/bff/login", RequestID: "r"},
	LoggedOut{BackURL: "/", LoginURL: "/bff/login", RequestID: "r"},
	ErrorPage{Code: "not_found", Status: 404, LoginURL: "/bff/login", RequestID: "r"},
	Continue{URL: "/bff/callback/main?stale=x"},
	Sessions{Action: "/bff/sessions", Rows: []SessionRow{{ID: "1", Current: true}, {ID: "2"}}, Ending: &SessionRow{ID: "2"}},
	SilentLogin{Origin: "https://app.example.com", ConfirmURL: "/bff/silent-login", Confirm: "x"},
}
