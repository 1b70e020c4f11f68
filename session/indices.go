package session

import "github.com/cloakroom/cloakroom/session/storage"

// subjectKey finds all sessions of a user at a provider (configured id).
func subjectKey(provider, subject string) string {
	return storage.IndexKey("subject", provider, subject)
}

// sidKey finds the session that a provider (configured id) calls sid.
func sidKey(provider, sid string) string { return storage.IndexKey("sid", provider, sid) }

// idKey finds the session by its public handle, Record.ID.
func idKey(id string) string { return storage.IndexKey("id", id) }

// indices returns the keys that rec is found by.
func indices(rec *Record) []string {
	keys := []string{subjectKey(rec.Provider, rec.Subject), idKey(rec.ID)}
	if rec.SID != "" {
		keys = append(keys, sidKey(rec.Provider, rec.SID))
	}
	return keys
}
