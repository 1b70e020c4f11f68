package templates

import "time"

// A Page is the content of one page: one of the types below.
type Page interface{ file() string }

// ChooseProvider lets a person choose where to log in.
type ChooseProvider struct {
	Providers []ProviderChoice
	RequestID string
}

// A ProviderChoice is one provider on the page.
type ProviderChoice struct{ ID, Name, URL string }

// LoginFailed says why a login failed and how to try again.
type LoginFailed struct {
	Kind          string // problem code; selects the text
	ProviderError string // the provider's error code; "" if it sent none
	ProviderSays  string // the provider's error description
	Reason        string // why the program around this service refused the login; "" if it did not
	Host          string // the app's own address; "" if the failure has nothing to do with the address
	RetryURL      string
	RequestID     string
}

// LoginLoop says why a browser is in a redirect loop between login and app.
type LoginLoop struct {
	Cause     string // selects the text
	Host      string // the app's own address
	RetryURL  string
	RequestID string
}

// LoggedOut says that the user is logged out.
type LoggedOut struct {
	BackURL   string // of the app
	LoginURL  string
	RequestID string
}

// ErrorPage says why any other navigation failed.
type ErrorPage struct {
	Code      string // a problem.Code; selects the text
	Status    int
	LoginURL  string // "" if logging in would not help
	RequestID string
}

// Continue navigates to a path of this origin by itself, so that the browser sends its
// SameSite=Strict cookie.
type Continue struct{ URL string }

// SilentLogin posts a message to the window that framed it, which says whether the user is logged
// in. If ConfirmURL is set, the page first posts Confirm to it, and its answer decides.
type SilentLogin struct {
	Origin     string // the only origin that receives the message
	ConfirmURL string // a path of this origin; "" if nobody is logged in
	Confirm    string
}

// Sessions lists the sessions of a user, with a form to end them.
type Sessions struct {
	Action       string // URL of the page and of its form
	Token        string // the form's CSRF token
	Rows         []SessionRow
	Ending       *SessionRow // asks whether to end this session; nil for the list
	EndingOthers bool        // asks whether to end all other sessions
	Others       string      // the form's value for all other sessions
}

// A SessionRow is one session.
type SessionRow struct {
	ID                        string
	Current                   bool
	Device, Address, Provider string // "" if unknown
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

const sampleOrigin = "https://app.example.com"

// samples are one value of each page. Load executes the templates with them.
var samples = [...]Page{
	ChooseProvider{
		Providers: []ProviderChoice{{"main", "Example", "/bff/login?provider=main"}}, RequestID: "r",
	},
	LoginFailed{
		Kind: "provider_refused", ProviderError: "server_error", ProviderSays: "down", Reason: "not today",
		Host: sampleOrigin, RetryURL: "/bff/login", RequestID: "r",
	},
	LoginLoop{Cause: "cookie_lost", Host: sampleOrigin, RetryURL: "/bff/login", RequestID: "r"},
	LoggedOut{BackURL: "/", LoginURL: "/bff/login", RequestID: "r"},
	ErrorPage{Code: "not_found", Status: 404, LoginURL: "/bff/login", RequestID: "r"},
	Continue{URL: "/bff/callback/main?stale=x"},
	Sessions{
		Action: "/bff/sessions", Rows: []SessionRow{{ID: "1", Current: true}, {ID: "2"}},
		Ending: &SessionRow{ID: "2"},
	},
	SilentLogin{Origin: sampleOrigin, ConfirmURL: "/bff/silent-login", Confirm: "x"},
}
