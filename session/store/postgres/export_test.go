package postgres

import "fmt"

// Migration is the text of one.
func Migration(version int) (string, error) {
	names, err := migrations.ReadDir("migrations")
	if err != nil {
		return "", err
	}
	if version > len(names) {
		return "", fmt.Errorf("there are %d migrations", len(names))
	}
	b, err := migrations.ReadFile("migrations/" + names[version-1].Name())
	return string(b), err
}
