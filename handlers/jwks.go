package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"
)

// jwks answers GET /bff/jwks/{provider}: the public keys (RFC 7517 §5) for the assertions that this
// client signs. It is what the client's jwks_uri at the provider points to. The set is empty if the
// client signs none. The provider fetches it, so it requires neither cookie nor X-CSRF.
func (h *Handlers) jwks(c echo.Context) error {
	p, err := h.provider(c.Param("provider"))
	if err != nil {
		return err
	}
	set, err := json.Marshal(p.PublicKeys())
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/jwk-set+json", set)
}
