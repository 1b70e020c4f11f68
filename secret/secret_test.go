package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// LG1: no way of formatting a secret shows it.
func TestNoFormatShowsTheSecret(t *testing.T) {
	v := New("hunter2")
	type holder struct {
		Token Value
		In    *Value
	}
	h := holder{v, &v}
	js, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "token", v, "holder", h)
	for _, s := range []string{
		fmt.Sprint(v), fmt.Sprintf("%s %v %+v %#v %q %x %d", v, v, v, v, v, v, v),
		fmt.Sprintf("%v %+v %#v", h, h, h), string(js), log.String(), fmt.Errorf("bad %v", v).Error(),
	} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("shown: %s", s)
		}
	}
}

func TestEqual(t *testing.T) {
	if !New("a").Equal("a") || New("a").Equal("b") || New("a").Equal("") {
		t.Error("Equal does not compare the secrets")
	}
}
