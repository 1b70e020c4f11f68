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

// minToken is the least length of an admin token without a warning: 16 characters of base64 are 96
// bits.
const minToken = 16

// Check warns of a token that is short enough to be guessed.
func (o *Options) Check(c setting.Check) {
	if !o.Token.IsZero() && len(o.Token.Reveal()) < minToken {
		const warning = "admin.token is shorter than %d characters; take a random one, such as cloakroom keygen prints"
		c.Warn(fmt.Sprintf(warning, minToken))
	}
}
