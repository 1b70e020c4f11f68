package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/site"
)

// Handler serves everything that browsers request: endpoints, routes and the app. It is safe for
// concurrent use until Close.
func (s *Server) Handler() http.Handler { return &s.publicHandler }

// Admin serves what the admin listener serves.
func (s *Server) Admin() http.Handler { return &s.adminHandler }

// Answers reports whether Handler has an endpoint or a route for r, however the path is spelled.
// Handler answers everything else with the app.
func (s *Server) Answers(r *http.Request) bool {
	return s.site.Owns(r.URL.Path) || s.api.Handler(r.URL.EscapedPath()) != nil
}

// Fail answers a request that did not go to Handler with an error, as an endpoint does. The answer
// has a request id. An error of status 500 or above is logged with it.
func (s *Server) Fail(w http.ResponseWriter, r *http.Request, err error) {
	id := s.requestID(r)
	r = r.WithContext(requestlog.WithID(r.Context(), id))
	w.Header().Set("X-Request-Id", id)
	if p := problem.From(err); p.Status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "request of the program failed",
			slog.String("path", r.URL.EscapedPath()), slog.Int("status", p.Status), slog.Any("error", err))
	}
	s.problems.Write(w, r, err)
}

// Site returns the public address.
func (s *Server) Site() *site.Site { return s.site }

// Sessions returns the sessions that Handler starts and ends.
func (s *Server) Sessions() *session.Manager { return s.sessions }

// AccessToken returns a valid access token of a session; see renewal.Renewer.
func (s *Server) AccessToken(ctx context.Context, of *session.Session) (renewal.Token, error) {
	return s.renewer.AccessToken(ctx, of)
}
