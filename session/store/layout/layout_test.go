package layout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/store/layout"
)

func TestAdjacentVersionsAreAllowedAndOthersAreRefusedWithARemedy(t *testing.T) {
	const build = 5
	for _, tt := range []struct {
		store  int
		inUse  bool
		remedy string // empty: the store may be used
	}{
		{1, false, ""},
		{1, true, "version 2 first"},
		{3, false, ""},
		{3, true, "version 4 first"},
		{4, true, ""},
		{5, true, ""},
		{6, true, ""},
		{7, true, "run the newer build, or one that makes version 6"},
		{7, false, "run the newer build"},
		{999, false, "run the newer build"},
	} {
		err := layout.Check(tt.store, build, func() (bool, error) { return tt.inUse, nil })
		if (err == nil) != (tt.remedy == "") || err != nil && !strings.Contains(err.Error(), tt.remedy) {
			t.Errorf("store %d, in use %v: %v, want %q", tt.store, tt.inUse, err, tt.remedy)
		}
	}
	unknown := errors.New("not to be asked")
	if err := layout.Check(3, build, func() (bool, error) { return false, unknown }); !errors.Is(err, unknown) {
		t.Errorf("check without knowing who uses the store = %v, want that error", err)
	}
}
