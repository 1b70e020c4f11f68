package keys

import (
	"fmt"
	"slices"

	"github.com/cloakroom/cloakroom/setting"
)

// Options are the configured keys.
type Options struct {
	Keys []Key // the first seals and signs, all open
}

// Settings are the keys that hold the keys.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "keys", Value: setting.ListOf(&o.Keys, `["${CLOAKROOM_KEY}"]`, hidden),
			Doc: "What seals records and signs cookies: 32 bytes each in base64, standard or URL alphabet, " +
				"with or without padding (`cloakroom keygen`). The first seals and signs, all open: how " +
				"to change keys without logging anyone out is in [scaling.md](scaling.md#new-keys). Left " +
				"out with `sqlite:`, a key file (mode 0600) is made beside the database; left out with " +
				"`memory:`, a fresh key at each start",
			Default: "see right",
			Example: []string{"[\"${CLOAKROOM_KEY}\", \"${file:/run/secrets/cloakroom-key-old}\"]"},
		},
	}
}

func hidden(into *Key) setting.Scalar {
	s := setting.Parsed(into, func(text string) (Key, *setting.Fault) {
		k, err := Parse(text)
		if err != nil {
			return k, setting.NewFault("is no key: "+err.Error(), "print one with: cloakroom keygen")
		}
		return k, nil
	}, Key.Reveal)
	s.Secret = true
	return s
}

// Check looks for keys that are missing or that stand there twice. embedded says that the store is
// one that can have a key of its own.
func (o *Options) Check(c setting.Check, embedded bool) {
	if len(o.Keys) == 0 && !embedded {
		c.Report("keys", "is missing", "print one with cloakroom keygen, and give every replica the same: only with sqlite: and memory: can it be left out")
	}
	for i, k := range o.Keys {
		if at := fmt.Sprintf("keys[%d]", i); slices.Contains(o.Keys[:i], k) && c.GivenAndValid(at) {
			c.Report(at, "is the same key as one before it", "take it out")
		}
	}
}
