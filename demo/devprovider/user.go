package devprovider

import (
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// A User can log in. Passwords are public on purpose.
type User struct {
	Subject, Username, Password, Name, GivenName, FamilyName, Email string
}

// Users are this provider's users.
func Users() []User {
	return []User{
		{
			Subject: "248289761001", Username: "alice", Password: "wonderland",
			Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell", Email: "alice@example.com",
		},
		{
			Subject: "248289761002", Username: "bob", Password: "builder",
			Name: "Bob Baumeister", GivenName: "Bob", FamilyName: "Baumeister", Email: "bob@example.com",
		},
	}
}

func userByName(username, password string) (User, bool) {
	for _, u := range Users() {
		if u.Username == username && u.Password == password {
			return u, true
		}
	}
	return User{}, false
}

func userBySubject(subject string) (User, bool) {
	for _, u := range Users() {
		if u.Subject == subject {
			return u, true
		}
	}
	return User{}, false
}

// describe sets the claims of each scope (OpenID Connect Core §5.4).
func (u User) describe(info *oidc.UserInfo, scopes []string) {
	info.Subject = u.Subject
	for _, scope := range scopes {
		switch scope {
		case oidc.ScopeProfile:
			info.Name, info.GivenName, info.FamilyName = u.Name, u.GivenName, u.FamilyName
			info.PreferredUsername = u.Username
		case oidc.ScopeEmail:
			info.Email, info.EmailVerified = u.Email, true
		}
	}
}
