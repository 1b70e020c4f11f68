package setting

import "strings"

// A State is what is known of the file's keys once each was read, by path.
type State interface {
	Given(path string) bool         // the file has something there
	GivenAndValid(path string) bool // and nothing is wrong with it so far
	// Misspelt reports whether an unknown key is probably meant for this one: a fault already.
	Misspelt(path string) bool
	Report(path string, f Fault)
	Warn(text string) // of what is allowed and yet seldom meant, with what to do
}

// A Check looks at the values of one block that contradict each other, or are missing. Keys are
// named as in that block, and by their path below it: require.acr, scopes[2].
type Check struct {
	State State
	Path  string // of the block; "" is the whole file
}

// In is the check of what lies below a key.
func (c Check) In(key string) Check { return Check{c.State, c.at(key)} }

func (c Check) at(key string) string {
	if key == "" || strings.HasPrefix(key, "[") {
		return c.Path + key
	}
	return Join(c.Path, key)
}

// Given reports whether the file has something at a key.
func (c Check) Given(key string) bool { return c.State.Given(c.at(key)) }

// GivenAndValid reports whether the file has something at a key, and nothing is wrong with it so far.
func (c Check) GivenAndValid(key string) bool { return c.State.GivenAndValid(c.at(key)) }

// Valid reports whether nothing is wrong with a key's value so far, be it the file's or the default.
func (c Check) Valid(key string) bool { return !c.Given(key) || c.GivenAndValid(key) }

// Require reports a missing key as a fault, and whether it is there.
func (c Check) Require(key, remedy string) bool {
	at := c.at(key)
	if c.State.Given(at) {
		return true
	}
	if !c.State.Misspelt(at) {
		c.State.Report(at, Fault{"is missing", remedy})
	}
	return false
}

// Report reports a fault.
func (c Check) Report(key, what, remedy string) { c.State.Report(c.at(key), Fault{what, remedy}) }

// Warn tells of what is allowed and yet seldom meant: what, and what to do. It must hold no secret.
func (c Check) Warn(text string) { c.State.Warn(text) }
