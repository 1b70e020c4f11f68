package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// maxReplay is how much of a body is kept in memory, until the answer is there, so that its request
// can be sent again: after a 401, or because the API has not processed it.
const maxReplay = 64 << 10

var (
	errSuperseded = errors.New("the request is being sent again")
	// errNotReplayable: a request would have to be sent again whose body is gone.
	errNotReplayable = errors.New("more of the body has been read than is kept for sending the request again")
)

// A kept body can be sent more than once, as long as no more than maxReplay of it has been read.
// Each sending is an attempt; only the latest reads. An attempt may still wait for the caller when the
// next one begins: what it gets then goes to that one.
type replayBody struct {
	source   io.Reader   // nil: there is no body
	trailer  http.Header // whole once source has been read
	sourceMu sync.Mutex  // held while source is read

	mu      sync.Mutex // guards all below; never held while source is read
	current *attempt
	bytes   []byte
	lost    bool // more was read than is kept
	err     error
	names   http.Header // the trailer of the request that is being sent: names before the body's end, then values
}

// whole reports whether the body can be sent again.
func (k *replayBody) replayable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.lost
}

// again is the body from its beginning, errNotReplayable when that is gone. The attempt before ends.
func (k *replayBody) rewind() (io.ReadCloser, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.lost:
		return nil, errNotReplayable
	case k.source == nil:
		return http.NoBody, nil
	}
	k.current = &attempt{body: k, trailer: k.names}
	return k.current, nil
}

// put gives a request the body from its beginning, and a trailer of its own: net/http may still be reading the one
// of the attempt before.
func (k *replayBody) attach(r *http.Request) error {
	k.mu.Lock()
	if len(r.Trailer) > 0 {
		k.names = make(http.Header, len(r.Trailer))
		for name := range r.Trailer {
			k.names[name] = nil
		}
		r.Trailer = k.names
	}
	k.mu.Unlock()
	body, err := k.rewind()
	if err == nil {
		r.Body = body
	}
	return err
}

// An attempt reads a kept body from its beginning.
type attempt struct {
	body    *replayBody
	read    int // bytes
	trailer http.Header
}

// Close implements io.Closer. The body itself is the ReverseProxy's to close.
func (a *attempt) Close() error { return nil }

// Read implements io.Reader.
func (a *attempt) Read(b []byte) (int, error) {
	if n, done, err := a.fromMemory(b); done {
		return n, err
	}
	k := a.body
	k.sourceMu.Lock()
	defer k.sourceMu.Unlock()
	if n, done, err := a.fromMemory(b); done { // the attempt before has just read it
		return n, err
	}
	n, err := k.source.Read(b)
	return a.record(b[:n], err)
}

// fromMemory reads what is there already; done is false when the source has to be asked.
func (a *attempt) fromMemory(b []byte) (n int, done bool, err error) {
	k := a.body
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.current != a:
		return 0, true, errSuperseded
	case a.read < len(k.bytes):
		n = copy(b, k.bytes[a.read:])
		a.read += n
		return n, true, nil
	}
	a.atEnd()
	return 0, k.err != nil, k.err
}

// atEnd fills in the trailer once the body has been read; kept.mu is held.
func (a *attempt) atEnd() {
	if a.body.err != io.EOF {
		return
	}
	for name := range a.trailer {
		a.trailer[name] = a.body.trailer[name]
	}
}

// took notes what the source gave: for this attempt, or for one that has begun meanwhile.
func (a *attempt) record(b []byte, err error) (int, error) {
	k := a.body
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
	if k.current != a {
		k.bytes = append(k.bytes, b...)
		return 0, errSuperseded
	}
	a.read += len(b)
	a.atEnd()
	if k.lost = k.lost || len(k.bytes)+len(b) > maxReplay; k.lost {
		k.bytes = nil
	} else {
		k.bytes = append(k.bytes, b...)
	}
	return len(b), err
}

// none is the body of a request that has none.
type emptyBody struct{}

// Read implements io.Reader.
func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }

// prepareResend prepares a request for being sent again, by us alone, and returns its body.
//
// net/http sends requests again by itself: what HTTP/2 says was not processed (RFC 9113 §8.7), which is
// right, but also a stream that the API reset with PROTOCOL_ERROR, and, over a reused HTTP/1.1 connection
// that broke, any request with an Idempotency-Key or X-Idempotency-Key. The API may have processed those
// two, and whether it honours such a key is not ours to assume. So net/http gets no key that it would know,
// and a GetBody over HTTP/1.1 alone, where it is for requests of which nothing was written. GET, HEAD and
// OPTIONS without a body change nothing at the API (RFC 9110 §9.2.1): those are left to it.
func (t *retrying) prepareResend(r *http.Request, trailer http.Header) *replayBody {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if !safe {
		hideKeys(r.Header)
	}
	k := &replayBody{source: r.Body, trailer: trailer, lost: r.Header.Get("Upgrade") != ""}
	if r.Body == nil || r.Body == http.NoBody {
		if k.source = nil; safe || !t.next.http2.Load() {
			return k
		}
		k.source = emptyBody{} // a body of its own keeps net/http from sending the request again
	}
	if err := k.attach(r); err != nil {
		return k // an upgrade: its body stays as it is
	}
	if r.URL.Scheme == "http" {
		r.GetBody = k.rewind
	}
	return k
}

// hideKeys keeps net/http from knowing the idempotency keys: it looks for the canonical spelling alone.
// Names of fields have no case (RFC 9110 §5.1), so the API reads the same.
func hideKeys(h http.Header) {
	for name, hidden := range map[string]string{"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key"} {
		if values, ok := h[name]; ok {
			h[hidden] = values
			delete(h, name)
		}
	}
}
