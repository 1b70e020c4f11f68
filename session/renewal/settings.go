package renewal

import (
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// minLease is what one token request and its commit can take when all goes well.
const minLease = time.Second

// Defaults are Options of which the operator has said nothing.
func Defaults() Options { return Options{Lease: 30 * time.Second} }

// Settings are the keys of renewal.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "renewal_lease", Value: setting.PositiveDuration(&o.Lease),
			Doc: "How long a replica that died while it renewed a session keeps the others from trying; at " +
				"least `1s`. Another replica that sends the same refresh token again looks like a thief " +
				"to a provider that detects reuse, so this is longer than a replica may be cut off. One " +
				"that is frozen, which Redis and PostgreSQL can tell, is waited for four times as long",
			Example: []string{"30s"},
		},
	}
}

// Check looks at the values.
func (o *Options) Check(c setting.Check) {
	if c.GivenAndValid("renewal_lease") && o.Lease < minLease {
		c.Report("renewal_lease", "is shorter than "+minLease.String(), "give a renewal time to be answered and saved: another replica that sends the refresh token again looks like a thief to the provider")
	}
}
