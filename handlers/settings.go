package handlers

import (
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// Defaults returns the Options that apply unless the operator sets others.
func Defaults() Options { return Options{MaxEventStreams: 5_000, ExpiringNotice: time.Minute} }

// Settings returns the settings of event streams.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "max_event_streams", Value: setting.Number(&o.MaxEventStreams),
			Doc: "How many `/bff/events` streams one session can have open at a replica; more get 429. The " +
				"default only prevents one session from filling the replica. `0`: any number",
			Example: []string{"5000"},
		},
		{
			Name: "expiring_notice", Value: setting.NonNegativeDuration(&o.ExpiringNotice),
			Doc:     "How long before a session expires `/bff/events` announces it to the app; `0`: never",
			Example: []string{"1m"},
		},
	}
}

// ForwardAuthSettings returns the settings of forward-auth.
func (o *Options) ForwardAuthSettings() setting.Block {
	return setting.Block{
		{
			Name: "secret", Value: setting.Hidden(&o.ForwardAuthSecret, checkProxySecret),
			Doc: "What a reverse proxy sends as `X-Forward-Auth-Secret`, so that `GET " +
				"/bff/auth?token=access` gives it the user's access token; at least 32 characters. " +
				"Without this setting, no proxy gets a token",
			Example: []string{"${FORWARD_AUTH_SECRET}"},
		},
	}
}

// minProxySecret is 32 characters of base64: 192 bits.
const minProxySecret = 32

func checkProxySecret(s string) *setting.Fault {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=."
	if len(s) < minProxySecret || strings.Trim(s, letters) != "" {
		return setting.NewFault(
			"is shorter than 32 characters, or has some that a header can't hold",
			"take a random one, such as cloakroom keygen prints: whoever knows it gets users' access tokens",
		)
	}
	return nil
}
