package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"
)

// jwks answers GET /bff/jwks/{provider}: the public keys with which this client signs its assertions
// (RFC 7517 §5), for the provider's jwks_uri setting of this client. The set is empty where it signs
// with none. The provider fetches it, so it needs neither cookie nor X-CSRF.
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
