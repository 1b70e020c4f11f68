package postgres

import "fmt"

// Migration returns the text of a migration.
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
