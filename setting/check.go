package setting

import "strings"

// A State tells what was found at each key's path once the whole file was read.
type State interface {
	Given(path string) bool         // the file has something there
	GivenAndValid(path string) bool // and no fault was found in it so far
	// Misspelt reports whether the file has an unknown key that is probably a misspelling of this
	// one. That key was reported already.
	Misspelt(path string) bool
	Report(path string, f Fault)
	Warn(text string) // see Check.Warn
}

// A Check finds missing keys of one block, and values that contradict each other. Its methods take
// a key's path within the block: issuer, require.acr, scopes[2].
type Check struct {
	State State
	Path  string // of the block; "" is the whole file
}

// In returns the Check of the block at a key.
func (c Check) In(key string) Check { return Check{c.State, c.at(key)} }

func (c Check) at(key string) string {
	if key == "" || strings.HasPrefix(key, "[") {
		return c.Path + key
	}
	return Join(c.Path, key)
}

// Given reports whether the file has something at a key.
func (c Check) Given(key string) bool { return c.State.Given(c.at(key)) }

// GivenAndValid reports whether the file has something at a key and no fault was found in it so
// far.
func (c Check) GivenAndValid(key string) bool { return c.State.GivenAndValid(c.at(key)) }

// Valid reports whether no fault was found in a key's value so far. A default is always valid.
func (c Check) Valid(key string) bool { return !c.Given(key) || c.GivenAndValid(key) }

// Require reports whether the file has something at a key. If it has not, it reports a fault,
// unless the key is probably misspelt.
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

// Report reports a fault in the value at a key.
func (c Check) Report(key, what, remedy string) { c.State.Report(c.at(key), Fault{what, remedy}) }

// Warn reports a setting that is allowed but probably a mistake. The text says what it does and how
// to correct it, and holds no secret.
func (c Check) Warn(text string) { c.State.Warn(text) }
