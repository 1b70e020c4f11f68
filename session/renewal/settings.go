package renewal

import (
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// minLease is how long a token request and its commit may take in normal operation.
const minLease = time.Second

// Defaults returns the Options that apply unless the operator sets others.
func Defaults() Options { return Options{Lease: 30 * time.Second} }

// Settings are the keys of renewal.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "renewal_lease", Value: setting.PositiveDuration(&o.Lease),
			Doc: "How long a replica that died while it renewed a session keeps the others from " +
				"trying; at least `1s`. To a provider that detects reuse, another replica that " +
				"sends the same refresh token again looks like a thief, so this should be longer " +
				"than a replica may be cut off. If the replica is not dead but frozen, which Redis " +
				"and PostgreSQL can tell, the others wait four times as long",
			Example: []string{"30s"},
		},
	}
}

// Check checks the values.
func (o *Options) Check(c setting.Check) {
	if c.GivenAndValid("renewal_lease") && o.Lease < minLease {
		c.Report("renewal_lease", "is shorter than "+minLease.String(),
			"give a renewal time to be answered and saved: another replica that sends "+
				"the refresh token again looks like a thief to the provider")
	}
}
