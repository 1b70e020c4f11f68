package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// readyTimeout bounds how long a probe waits for the store.
const readyTimeout = 2 * time.Second

// readiness names what is missing, or that nothing is.
type readiness struct {
	Ready     bool            `json:"ready"`
	Store     string          `json:"store"`     // "ok", or what is wrong
	Providers map[string]bool `json:"providers"` // by id: whether its metadata is known
	Missing   []string        `json:"missing"`
}

// readyz answers 200 when the store answers and the metadata of at least one provider is known,
// which the server sees to from its start on; a probe asks no provider. A service that is about to stop is
// not ready, before it takes no more connections: a load balancer that goes by this sends it nothing more.
func (h *Handlers) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
	defer cancel()
	r := readiness{Store: "ok", Providers: map[string]bool{}, Missing: []string{}}
	if err := h.Sessions.Ping(ctx); err != nil {
		r.Store = "does not answer"
		r.Missing = append(r.Missing, "session store: "+err.Error())
	}
	anyKnown := false
	for _, p := range h.Providers {
		known := p.Ready()
		r.Providers[p.ID()] = known
		anyKnown = anyKnown || known
	}
	if !anyKnown {
		r.Missing = append(r.Missing, "metadata of at least one provider")
	}
	if h.Draining() {
		r.Missing = append(r.Missing, "time: the service is shutting down")
	}
	r.Ready = len(r.Missing) == 0
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
		c.Response().Header().Set("Retry-After", "2")
	}
	return c.JSON(status, r)
}
