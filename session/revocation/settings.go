package revocation

import (
	"github.com/cloakroom/cloakroom/setting"
)

// Defaults returns the Options that apply unless the operator sets others.
func Defaults() Options { return Options{RevokeOnBackchannel: true} }

// Settings are the keys of revocation.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "revoke_on_backchannel", Value: setting.Bool(&o.RevokeOnBackchannel),
			Doc: "Whether a logout that comes from the provider's side also revokes `offline_access` " +
				"tokens, which OIDC Back-Channel Logout §2.7 normally leaves valid",
			Example: []string{"true"},
		},
	}
}
