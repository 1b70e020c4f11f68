package config

import (
	"slices"
	"strings"
)

// keys returns the path of every key of the schema, without indices: providers.client_id.
func keys() []string {
	var found []string
	schema(&Config{}).walk("", func(path string) { found = append(found, path) })
	return found
}

// plainLeaf reports whether the schema has such a key, and no block of keys below it.
func plainLeaf(key string) bool {
	found := false
	for _, path := range keys() {
		if slices.Contains(strings.Split(parent(path), "."), key) {
			return false
		}
		found = found || lastKey(path) == key
	}
	return found
}

// suggest says what an unknown key in the mapping at path should perhaps be: a key of that mapping,
// whose path it returns too, or one that belongs elsewhere.
func (m mapping) suggest(path, key string) (right, meant string) {
	here := make([]string, len(m))
	for i, e := range m {
		here[i] = e.key
	}
	if near := nearest(key, here); near != "" {
		return "did you mean " + near + "?", join(path, near)
	}
	for _, other := range keys() {
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

// nearest returns the word that differs least from got, or "" if none is near.
func nearest(got string, words []string) string {
	if len(got) < 3 || len(got) > 40 {
		return ""
	}
	best, least := "", len(got)/3+1
	for _, w := range words {
		if strings.HasPrefix(got, w) || strings.HasPrefix(w, got) {
			return w
		}
		if d := distance(fold(got), fold(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// fold takes away what people vary: case, and the way words are put together.
func fold(s string) string { return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)) }

// distance is how many letters must be added, dropped, replaced or swapped with their neighbour to
// get from a to b (optimal string alignment).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(replace, d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
