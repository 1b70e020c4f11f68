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

// fold removes differences in case and in how words are joined.
func fold(s string) string { return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)) }

// distance is the optimal string alignment distance: the number of letters to insert, delete,
// replace or swap with their neighbour to turn a into b.
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
