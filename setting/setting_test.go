package setting

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

type options struct {
	word   string
	life   time.Duration
	size   int64
	off    bool
	hidden secret.Value
	scopes []string
	params map[string]string
}

func (o *options) settings() Block {
	return Block{
		{Name: "word", Value: OneOf(&o.word, "red", "green")},
		{Name: "below", Value: Block{
			{Name: "life", Value: PositiveDuration(&o.life)},
			{Name: "size", Value: Bytes(&o.size)},
			{Name: "state", Value: Enum(&o.off, []string{"on", "off"}, []bool{false, true})},
		}},
		{Name: "hidden", Value: Hidden(&o.hidden, AnyText)},
		{Name: "scopes", Value: ListOf(&o.scopes, "[a]", Each(CheckScope))},
		{Name: "params", Value: StringMap{Into: &o.params, Check: func(key string) *Fault {
			if key == "state" {
				return NewFault("can't be set here", "take it out")
			}
			return nil
		}}},
	}
}

func fresh() *options {
	return &options{word: "red", life: time.Hour, scopes: []string{"openid", "profile"}}
}

// A value's text is what the file would hold for it: Set reads it back without loss.
func TestTextsReadBack(t *testing.T) {
	for _, c := range []struct {
		scalar Scalar
		want   string
	}{
		{PositiveDuration(new(12 * time.Hour)), "12h"},
		{PositiveDuration(new(90 * time.Second)), "1m30s"},
		{NonNegativeDuration(new(time.Duration(0))), "0"},
		{PositiveDuration(new(1500 * time.Millisecond)), "1.5s"},
		{Bytes(new(int64(10 << 20))), "10MiB"},
		{Bytes(new(int64(10<<20 + 1))), "10485761"},
		{Bytes(new(int64(0))), "0"},
		{Number(new(5)), "5"},
		{Bool(new(true)), "true"},
	} {
		text := c.scalar.Text()
		if text != c.want {
			t.Errorf("text = %q, want %q", text, c.want)
		}
		if f := c.scalar.Set(text); f != nil || c.scalar.Text() != text {
			t.Errorf("%q reads back as %q, %v", text, c.scalar.Text(), f)
		}
	}
}

func TestSecretsHaveNoText(t *testing.T) {
	o := &options{hidden: secret.New("hunter2")}
	for _, k := range o.settings() {
		if strings.Contains(k.Value.Text(), "hunter2") {
			t.Errorf("%s shows the secret", k.Name)
		}
	}
	if !o.settings().HoldsSecret() {
		t.Error("the block is not known to hold a secret")
	}
}

func TestEmptyKeysAreFilledWithTheirDefaults(t *testing.T) {
	o := &options{scopes: []string{"openid"}}
	Fill(o.settings(), fresh().settings())
	if o.word != "red" || len(o.scopes) != 1 {
		t.Errorf("options = %+v, want the default word and the scopes as they were", o)
	}
	o.scopes = nil
	Fill(o.settings(), fresh().settings())
	if strings.Join(o.scopes, " ") != "openid profile" {
		t.Errorf("scopes = %q, want the default's", o.scopes)
	}
}

func TestOptionsOfAProgramAreCheckedAsAFileIs(t *testing.T) {
	bad := &options{
		word: "blue", life: -1, size: -1,
		scopes: []string{"openid", "a b"}, params: map[string]string{"state": "x"},
	}
	err := Verify(bad.settings(), fresh().settings(), func(c Check) {
		if c.Valid("word") || c.Valid("scopes[1]") || !c.Valid("hidden") {
			t.Error("a check that compares keys does not see which of them have a fault")
		}
		c.Require("hidden", "add it")
		if c.Given("below.state") {
			t.Error("a default counts as given")
		}
	})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"word is none of red, green", "below.life is negative", "scopes[1] is not a scope",
		"params.state can't be set here", "hidden is missing: add it",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q in it", err, want)
		}
	}
	empty := &options{scopes: []string{"openid", ""}}
	err = Verify(empty.settings(), fresh().settings(), func(Check) {})
	if err == nil || !strings.Contains(err.Error(), "scopes[1] is empty") {
		t.Errorf("error of an empty item = %v", err)
	}
	good := &options{
		word: "green", life: time.Minute, off: true, hidden: secret.New("s"), scopes: []string{"openid"},
	}
	err = Verify(good.settings(), fresh().settings(), func(c Check) { c.Require("hidden", "") })
	if err != nil || !good.off || good.life != time.Minute {
		t.Errorf("good options = %+v, %v", good, err)
	}
}

// Lists of blocks are filled and checked item by item, and a caller's own slices stay as they are.
func TestItemsOfAProgramsListAreFilledAndChecked(t *testing.T) {
	given := []options{{word: "green"}, {word: "blue", scopes: []string{"a b"}}}
	into := given
	list := func(into *[]options) Block {
		return Block{{Name: "all", Value: Blocks(into, "", func() options { return *fresh() }, (*options).settings)}}
	}
	Fill(list(&into), list(new([]options)))
	if into[0].life != time.Hour || into[0].word != "green" || len(into[0].scopes) != 2 {
		t.Errorf("item = %+v, want the defaults but the word", into[0])
	}
	if given[0].life != 0 {
		t.Errorf("the caller's item = %+v, want it as it was", given[0])
	}
	err := Verify(list(&into), list(new([]options)), func(Check) {})
	for _, want := range []string{"all[1].word is none of", "all[1].scopes[0] is not a scope"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q in it", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "all[0]") {
		t.Errorf("error = %v, want none in the first item", err)
	}
}
