package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A scripted API speaks HTTP/2 and does with each stream what the request's path says: /refused,ok/x has the
// first one refused and answers the second. It counts what it has processed.
type scripted struct {
	*httptest.Server // its certificate and address
	t                *testing.T

	mu        sync.Mutex // guards the rest
	tries     map[string]int
	processed map[string]int
	bodies    map[string][]byte // as processed
	trailers  map[string]string // X-Sum
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{t: t, tries: map[string]int{}, processed: map[string]int{}, bodies: map[string][]byte{}, trailers: map[string]string{}}
	certificates := httptest.NewTLSServer(nil) // for its certificate alone
	t.Cleanup(certificates.Close)
	s.Server = certificates
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s.URL = "https://" + l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *scripted) certificate() *x509.Certificate { return s.Certificate() }

// A stream is a request that is coming in.
type stream struct {
	path string
	step string
	body bytes.Buffer
}

func (s *scripted) serve(c net.Conn) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	_ = f.WriteWindowUpdate(0, 1<<24)
	streams := map[uint32]*stream{}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		id := frame.Header().StreamID
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		case *http2.MetaHeadersFrame:
			if streams[id] == nil && len(frame.PseudoFields()) > 0 {
				streams[id] = s.begin(f, id, frame.PseudoValue("path"))
			} else if streams[id] != nil {
				s.trailer(streams[id].path, frame)
			}
			if frame.StreamEnded() && !s.end(f, id, streams[id]) {
				return
			}
		case *http2.DataFrame:
			if streams[id] == nil {
				continue
			}
			streams[id].body.Write(frame.Data())
			if frame.StreamEnded() && !s.end(f, id, streams[id]) {
				return
			}
		}
	}
}

// begin refuses what is to be refused before its body comes.
func (s *scripted) begin(f *http2.Framer, id uint32, path string) *stream {
	s.mu.Lock()
	steps := strings.Split(strings.Split(path, "/")[1], ",")
	step := steps[min(s.tries[path], len(steps)-1)]
	s.tries[path]++
	s.mu.Unlock()
	switch step {
	case "refused":
		_ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		return nil
	case "goaway":
		_ = f.WriteGoAway(id-1, http2.ErrCodeNo, nil) // below this one
		return nil
	case "goaway-angry":
		_ = f.WriteGoAway(id-1, http2.ErrCodeEnhanceYourCalm, []byte("cannot retry err ["))
		return nil
	case "goaway-all-then-refused": // announces the end, then refuses what has come since
		_ = f.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
		_ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		return nil
	}
	return &stream{path: path, step: step}
}

func (s *scripted) trailer(path string, frame *http2.MetaHeadersFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range frame.RegularFields() {
		if f.Name == "x-sum" {
			s.trailers[path] = f.Value
		}
	}
}

// end does the rest once the body is there; false closes the connection.
func (s *scripted) end(f *http2.Framer, id uint32, st *stream) bool {
	if st == nil {
		return true
	}
	if st.step == "refused-late" {
		_ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		return true
	}
	s.mu.Lock()
	s.processed[st.path]++
	s.bodies[st.path] = bytes.Clone(st.body.Bytes())
	s.mu.Unlock()
	switch st.step {
	case "ok":
		var block bytes.Buffer
		_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	case "internal":
		_ = f.WriteRSTStream(id, http2.ErrCodeInternal)
	case "protocol":
		_ = f.WriteRSTStream(id, http2.ErrCodeProtocol)
	case "cancel":
		_ = f.WriteRSTStream(id, http2.ErrCodeCancel)
	case "goaway-after":
		_ = f.WriteGoAway(id, http2.ErrCodeInternal, []byte("REFUSED_STREAM GOAWAY"))
		return false
	case "hangup":
		return false
	}
	return true
}

func (s *scripted) count(path string) (processed int, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processed[path], s.bodies[path]
}
