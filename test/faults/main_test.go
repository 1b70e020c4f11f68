package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the service, built once. nextBinary is a build with the next layout
// version.
var binary, nextBinary string

// builtEnv is the folder of the built programs, for a process that runs a single test of this
// package (servers.InNamespace).
const builtEnv = "CLOAKROOM_TEST_BUILT"

func TestMain(m *testing.M) {
	if os.Getenv(asReplica) != "" {
		os.Exit(serveWithWrongClock(os.Args[len(os.Args)-1]))
	}
	if dir := os.Getenv(builtEnv); dir != "" {
		binary, nextBinary = filepath.Join(dir, "cloakroom"), filepath.Join(dir, "cloakroom-next")
		os.Exit(m.Run())
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "cr-faults-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary, nextBinary = filepath.Join(dir, "cloakroom"), filepath.Join(dir, "cloakroom-next")
		for path, tags := range map[string]string{binary: "nodemo", nextBinary: "nodemo,layoutnext"} {
			build := exec.Command("go", "build", "-tags", tags, "-o", path, "github.com/cloakroom/cloakroom/cmd/cloakroom")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build the service: %v: %s\n", err, out)
				return 1
			}
		}
		if err := os.Setenv(builtEnv, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}
