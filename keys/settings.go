package keys

import (
	"fmt"
	"slices"

	"github.com/cloakroom/cloakroom/setting"
)

// Options are the configured keys.
type Options struct {
	Keys []Key // the first one seals and signs; all of them open
}

// Settings returns the setting session.keys.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "keys", Value: setting.ListOf(&o.Keys, `["${CLOAKROOM_KEY}"]`, hidden),
			Doc: "The keys that encrypt stored records and sign cookies. Each is 32 bytes in " +
				"base64, in the standard or the URL alphabet, with or without padding " +
				"(`cloakroom keygen`). The first key seals; all of them open. " +
				"[scaling.md](scaling.md#new-keys) says how to change keys without logging " +
				"anyone out. Without this setting, a `sqlite:` store has a key file (mode 0600) " +
				"beside the database, and a `memory:` store has a new key at each start. Any " +
				"other store requires it",
			Default: "see right",
			Example: []string{"[\"${CLOAKROOM_KEY}\", \"${file:/run/secrets/cloakroom-key-old}\"]"},
		},
	}
}

func hidden(into *Key) setting.Scalar {
	s := setting.Parsed(into, func(text string) (Key, *setting.Fault) {
		k, err := Parse(text)
		if err != nil {
			return k, setting.NewFault("is not a key: "+err.Error(), "print one with: cloakroom keygen")
		}
		return k, nil
	}, Key.Reveal)
	s.Secret = true
	return s
}

// Check looks for missing and duplicate keys. The parameter embedded says that the store belongs to
// this process alone, which then can make a key of its own.
func (o *Options) Check(c setting.Check, embedded bool) {
	if len(o.Keys) == 0 && !embedded {
		c.Report("keys", "is missing", "print one with cloakroom keygen, and give every replica the same: "+
			"only with sqlite: and memory: can it be left out")
	}
	for i, k := range o.Keys {
		if at := fmt.Sprintf("keys[%d]", i); slices.Contains(o.Keys[:i], k) && c.GivenAndValid(at) {
			c.Report(at, "is the same key as one before it", "take it out")
		}
	}
}
