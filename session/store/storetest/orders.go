package storetest

import (
	"fmt"
	"slices"

	"github.com/cloakroom/cloakroom/session/storage"
)

// orderTests run the steps of a few parties in every possible order, one at a time, and check the
// store after each step. Overlapping steps are the subject of contentionTests.
var orderTests = []test{
	// A logout wins, and each update is based on what its writer has read.
	{"two writers, a reader and a logout, in every order", func(b *bench) {
		ended := map[string]string{}
		eachOrder([]int{2, 2, 1, 1}, nil, func(order []int) {
			r := &race{bench: b, order: order, e: b.create(b.entry()), version: 1}
			r.sealed = string(r.e.Sealed)
			read := func() { r.read() }
			parties := [][]func(){r.writer("one"), r.writer("another"), {read}, {r.end}}
			for _, p := range order {
				parties[p][0]()
				parties[p] = parties[p][1:]
			}
			for _, late := range []func(){read, func() { r.update(r.version, "late") }, r.end} {
				late()
			}
			ended[r.e.Name] = r.sealed
		})
		due := b.due()
		if len(ended) != 180 || len(due) != len(ended) {
			b.Errorf("orders = %d, items in the outbox = %d, want 180 of each", len(ended), len(due))
		}
		for name, sealed := range ended {
			if got := string(due[name].Sealed); got != sealed {
				b.Errorf("outbox has %q, want the last that was written, %q", got, sealed)
			}
		}
	}},
}

// eachOrder visits every order in which the parties can take their steps. steps is the number of
// steps of each party; an order is a list of parties, one for each turn.
func eachOrder(steps, order []int, visit func([]int)) {
	over := true
	for p := range steps {
		if steps[p] == 0 {
			continue
		}
		over = false
		steps[p]--
		eachOrder(steps, append(slices.Clone(order), p), visit)
		steps[p]++
	}
	if over {
		visit(order)
	}
}

// A race runs one order. It knows what the store must hold at each moment.
type race struct {
	*bench
	order []int
	e     storage.Entry

	version uint64
	sealed  string
	ended   bool
}

// writer returns the steps of a writer: it reads, and replaces what it has read.
func (r *race) writer(name string) []func() {
	var read uint64
	return []func(){
		func() { read = r.read() },
		func() { r.update(read, name) },
	}
}

// read checks the record and returns its version, 0 if there is none.
func (r *race) read() uint64 {
	got, err := r.store.Records.Load(r.ctx, r.e.Name)
	r.says("load", err, nil)
	if err == nil && (got.Version != r.version || string(got.Sealed) != r.sealed) {
		r.Errorf("order %v: read version %d %q, want version %d %q",
			r.order, got.Version, got.Sealed, r.version, r.sealed)
	}
	return got.Version
}

// update replaces a version that was read.
func (r *race) update(version uint64, by string) {
	mine := r.e
	mine.Version, mine.Sealed = version, fmt.Appendf(nil, "version %d by %s", version+1, by)
	if version != r.version {
		r.says("update", r.store.Records.Update(r.ctx, mine), storage.ErrConflict)
		return
	}
	r.says("update", r.store.Records.Update(r.ctx, mine), nil)
	if !r.ended {
		r.version, r.sealed = version+1, string(mine.Sealed)
	}
}

func (r *race) end() {
	r.says("end", r.store.Records.End(r.ctx, r.e.Name, "logout", r.now), nil)
	r.ended = true
}

// says checks the answer of the store: want, or after the end that there is no record.
func (r *race) says(act string, got, want error) {
	r.Helper()
	if r.ended {
		want = storage.ErrNotFound
	}
	r.want(fmt.Sprintf("order %v: %s", r.order, act), got, want)
}
