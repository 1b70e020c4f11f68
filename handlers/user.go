package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// A claim is one statement about the user, as SPA developers know it from the BFF pattern.
type claim struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// user answers GET /bff/user: the user's claims, as an array or as one object.
func (h *Handlers) user(c echo.Context) error {
	r := c.Request()
	if err := h.requireCSRF(r); err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(r)
	if err != nil {
		return err
	}
	if c.QueryParam("slide") != "false" {
		h.o.Sessions.Touch(r.Context(), s)
	}
	claims, err := h.claims(r.Context(), s)
	if err != nil {
		return fmt.Errorf("read claims of session %s: %w", s.Record.ID, err)
	}
	if c.QueryParam("format") == "object" {
		return c.JSONBlob(http.StatusOK, asObject(claims))
	}
	return c.JSON(http.StatusOK, repeated(claims))
}

// claims returns the record's claims in their order, then this service's own. It leaves out a
// provider's claim that has the prefix of ours (MD12).
func (h *Handlers) claims(ctx context.Context, s *session.Session) ([]claim, error) {
	object, err := h.changed(ctx, s)
	if err != nil {
		return nil, err
	}
	all, err := orderedMembers(object)
	if err != nil {
		return nil, err
	}
	claims := make([]claim, 0, len(all)+3)
	for _, cl := range all {
		if !strings.HasPrefix(cl.Type, "bff:") {
			claims = append(claims, cl)
		}
	}
	claims = append(claims,
		claim{"bff:logout_url", quoted(h.o.Site.LogoutURL(s.Record.LogoutID))},
		claim{"bff:session_expires_in", json.RawMessage(fmt.Sprint(h.secondsLeft(s)))},
	)
	if s.Record.State != "" {
		claims = append(claims, claim{"bff:session_state", quoted(s.Record.State)})
	}
	return claims, nil
}

// changed returns the record's claims as Options.Claims leaves them.
func (h *Handlers) changed(ctx context.Context, s *session.Session) (json.RawMessage, error) {
	if h.o.Claims == nil {
		return s.Record.Claims, nil
	}
	claims := map[string]any{}
	if len(s.Record.Claims) > 0 {
		d := json.NewDecoder(bytes.NewReader(s.Record.Claims))
		d.UseNumber()
		if err := d.Decode(&claims); err != nil {
			return nil, err
		}
	}
	if err := h.o.Claims(ctx, s, claims); err != nil {
		return nil, fmt.Errorf("have the program change them: %w", err)
	}
	return json.Marshal(claims)
}

// secondsLeft is how long the session lasts without further activity, rounded down, never negative.
func (h *Handlers) secondsLeft(s *session.Session) int {
	return int(math.Max(0, s.Expires().Sub(h.o.Now()).Seconds()))
}

// orderedMembers splits a JSON object into its members, keeping their order.
func orderedMembers(object json.RawMessage) ([]claim, error) {
	if len(object) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("claims are not a JSON object")
	}
	var members []claim
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members = append(members, claim{name.(string), value})
	}
	return members, nil
}

// repeated replaces a claim whose value is an array by one claim for each element.
func repeated(claims []claim) []claim {
	out := make([]claim, 0, len(claims))
	for _, cl := range claims {
		var values []json.RawMessage
		if json.Unmarshal(cl.Value, &values) != nil {
			out = append(out, cl)
			continue
		}
		for _, v := range values {
			out = append(out, claim{cl.Type, v})
		}
	}
	return out
}

// asObject writes the claims as one JSON object, in their order.
func asObject(claims []claim) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, cl := range claims {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(cl.Type))
		b.WriteByte(':')
		b.Write(cl.Value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// quoted is s as a JSON string.
func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string always marshals
	return b
}
