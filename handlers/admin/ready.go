package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// readyTimeout bounds how long a probe waits for the store.
const readyTimeout = 2 * time.Second

// readiness is the answer of GET /readyz.
type readiness struct {
	Ready     bool            `json:"ready"`
	Store     string          `json:"store"`     // "ok", or what is wrong
	Providers map[string]bool `json:"providers"` // by id: whether its metadata is known
	Clock     string          `json:"clock"`     // "ok", or this machine's difference from the store's
	Missing   []string        `json:"missing"`   // what keeps the service from being ready
}

// clockLimit is the largest difference between this machine's clock and the store's that is "ok".
const clockLimit = time.Minute

// readyz answers 200 if the store answers and the metadata of at least one provider is known. The
// server fetches the metadata from its start on; a probe calls no provider.
//
// A service that is about to stop is not ready, while it still accepts connections: load balancers
// get the time to send their requests elsewhere. A wrong clock is reported, but does not matter to
// readiness, because the service uses the store's.
func (h *Handlers) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
	defer cancel()
	r := readiness{Store: "ok", Providers: map[string]bool{}, Missing: []string{}}
	if err := h.o.Sessions.Ping(ctx); err != nil {
		r.Store = "does not answer"
		r.Missing = append(r.Missing, "session store: "+err.Error())
	}
	r.Clock = h.clock()
	anyKnown := false
	for _, p := range h.o.Providers {
		known := p.Ready()
		r.Providers[p.ID()] = known
		anyKnown = anyKnown || known
	}
	if !anyKnown {
		r.Missing = append(r.Missing, "metadata of at least one provider")
	}
	if h.o.Draining() {
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

// clock says whether this machine's clock agrees with the session store's.
func (h *Handlers) clock() string {
	ahead, known := h.o.Sessions.ClockAhead()
	switch {
	case !known:
		return "not compared with the session store's yet"
	case ahead > clockLimit:
		return fmt.Sprintf("this machine's is %s ahead of the session store's, which is used", ahead.Round(time.Second))
	case ahead < -clockLimit:
		return fmt.Sprintf("this machine's is %s behind the session store's, which is used", -ahead.Round(time.Second))
	}
	return "ok"
}
