package setting

import "strings"

// Nearest returns the word that differs least from got, or "" if none is near.
func Nearest(got string, words []string) string {
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
