package admin

import (
	"fmt"

	"github.com/cloakroom/cloakroom/setting"
)

// Settings are the keys of the admin API.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "token", Value: setting.Hidden(&o.Token, setting.AnyText),
			Doc: "Bearer token of the admin API. Without it, only health and metrics answer. One shorter " +
				"than 16 characters is warned about",
			Example: []string{"${CLOAKROOM_ADMIN_TOKEN}"},
		},
	}
}

// minToken is how long an admin token should at least be: 16 characters of base64 are 96 bits.
const minToken = 16

// Check warns of a token that can be guessed.
func (o *Options) Check(c setting.Check) {
	if !o.Token.IsZero() && len(o.Token.Reveal()) < minToken {
		c.Warn(fmt.Sprintf("admin.token is shorter than %d characters; take a random one, such as cloakroom keygen prints", minToken))
	}
}
