package config

import (
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/setting"
)

// knownKeys returns the path of every key of the schema, without indices: providers.client_id.
func knownKeys() []string {
	var found []string
	schema(&Config{}).Walk(func(path string, _ setting.Key) { found = append(found, path) })
	return found
}

// isLeafKey reports whether the schema has a key of this name, and none that is a block.
func isLeafKey(key string) bool {
	found := false
	for _, path := range knownKeys() {
		if slices.Contains(strings.Split(parent(path), "."), key) {
			return false
		}
		found = found || lastKey(path) == key
	}
	return found
}

// suggest returns the remedy for an unknown key in the block at path. If the key is probably a
// misspelling of one in that block, meant is that one's path.
func suggest(b setting.Block, path, key string) (remedy, meant string) {
	here := make([]string, len(b))
	for i, k := range b {
		here[i] = k.Name
	}
	if near := setting.Nearest(key, here); near != "" {
		return "did you mean " + near + "?", setting.Join(path, near)
	}
	for _, other := range knownKeys() {
		if lastKey(other) == key {
			return "did you mean " + other + "? It stands in the wrong block; check the indentation", ""
		}
	}
	switch {
	case len(here) == 0:
		return "write a name of letters, digits, -, _ and dots", ""
	case path == "":
		path = "the file"
	}
	return path + " can have " + strings.Join(here, ", "), ""
}
