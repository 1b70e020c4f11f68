package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// maxReplay is the greatest length in bytes of a body that is kept in memory until there is a
// response, so that the request can be sent again: after a 401, or if the API has not processed it.
const maxReplay = 64 << 10

var (
	errSuperseded = errors.New("the request is being sent again")
	// errNotReplayable means that a request can't be sent again, because its body was not kept.
	errNotReplayable = errors.New("more of the body has been read than is kept for sending the request again")
)

// A replayBody is a request body that can be sent again as long as at most maxReplay bytes of it
// were read. Each transmission reads it through an attempt; only the latest attempt gets data. An
// attempt may still wait for the client when the next one begins. What it reads then is kept for
// that one.
type replayBody struct {
	source   io.Reader   // nil if there is no body
	trailer  http.Header // of the client; complete once source has been read
	sourceMu sync.Mutex  // held while source is read

	mu      sync.Mutex // guards all below; never held while source is read
	current *attempt
	bytes   []byte
	lost    bool // more was read than is kept
	err     error
	names   http.Header // trailer of the latest transmission; its values are nil until the body's end
}

// replayable reports whether the body can be sent again.
func (k *replayBody) replayable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.lost
}

// rewind returns the body from its beginning and ends the previous attempt. The error is
// errNotReplayable if the beginning was not kept.
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

// attach sets the body of a request to the beginning, and its trailer to a new map, because
// net/http may still read the map of the previous attempt.
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

// An attempt reads a replayBody from its beginning.
type attempt struct {
	body    *replayBody
	read    int // bytes
	trailer http.Header
}

// Close implements io.Closer. It does nothing: the ReverseProxy closes the client's body.
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

// atEnd fills in the trailer once the body has been read. The caller holds body.mu.
func (a *attempt) atEnd() {
	if a.body.err != io.EOF {
		return
	}
	for name := range a.trailer {
		a.trailer[name] = a.body.trailer[name]
	}
}

// record stores what was read from the source, for this attempt or for one that has begun
// meanwhile.
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

// emptyBody is the body of a request without one.
type emptyBody struct{}

// Read implements io.Reader.
func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }

// prepareResend prepares a request so that only this package sends it again, and returns its body.
//
// net/http sends some requests again by itself. That is right for a request that HTTP/2 guarantees
// was not processed (RFC 9113 §8.7). But it also does so after a PROTOCOL_ERROR, and after a reused
// HTTP/1.1 connection broke, if the request has an Idempotency-Key or X-Idempotency-Key. The API
// may have processed these two, and may not support such keys. So this function hides the keys from
// net/http, and sets GetBody only over HTTP/1.1, where net/http uses it only if nothing was
// written. GET, HEAD and OPTIONS without a body are safe (RFC 9110 §9.2.1) and stay with net/http.
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

// hideKeys writes the names of idempotency keys in lower case. net/http looks only for the
// canonical form, while for the API the case does not matter (RFC 9110 §5.1).
func hideKeys(h http.Header) {
	for name, hidden := range map[string]string{
		"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key",
	} {
		if values, ok := h[name]; ok {
			h[hidden] = values
			delete(h, name)
		}
	}
}
