package admin

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// A providerRow is a provider as configured, and whether its metadata could be read.
type providerRow struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	Ready    bool   `json:"ready"` // its metadata is known
}

// listProviders answers GET /admin/providers.
func (h *Handlers) listProviders(c echo.Context) error {
	rows := make([]providerRow, 0, len(h.o.Providers))
	for _, p := range h.o.Providers {
		rows = append(rows, providerRow{p.ID(), p.Name(), p.Issuer(), p.ClientID(), p.Ready()})
	}
	return c.JSON(http.StatusOK, map[string]any{"providers": rows})
}

// A revocationRow is an item of the outbox: a session whose tokens are to be revoked, and the last
// error.
type revocationRow struct {
	ID          string    `json:"id"`
	Provider    string    `json:"provider"`
	Reason      string    `json:"reason"`
	EndedAt     time.Time `json:"ended_at"`
	NextAttempt time.Time `json:"next_attempt_at"`
	Attempts    int       `json:"attempts"`
	LastError   string    `json:"last_error,omitempty"`
}

// listRevocations answers GET /admin/revocations: the outbox, oldest first.
func (h *Handlers) listRevocations(c echo.Context) error {
	items, pending, err := h.o.Backlog.Revocations(c.Request().Context(), maxRows)
	if err != nil {
		return session.Unavailable(err)
	}
	rows := make([]revocationRow, 0, len(items))
	for _, i := range items {
		rows = append(rows, revocationRow{
			i.ID, i.Provider, i.Reason, i.EndedAt.UTC(), i.NotBefore.UTC(), i.Attempts, i.LastError,
		})
	}
	return c.JSON(http.StatusOK, map[string]any{"pending": pending, "revocations": rows})
}
