package redis

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// A record is one string in Redis, so that it takes little more memory than its sealed part:
//
//	format 1 | version 8 | created 8 | expires 8 | idle 8 | active 8 | head 5 |
//	length 1, provider | length 2, index keys (each with a length 1) | sealed
//
// Times are milliseconds since 1970, 0 for none. The scripts read and change these fields in place:
// whoever moves a field here must move it there.
const (
	format     = 1
	atVersion  = 1
	atCreated  = 9
	atExpires  = 17
	atIdle     = 25
	atActive   = 33
	atHead     = 41
	atProvider = atHead + keys.HeadSize
	// maxHeader is the longest header: all fields up to and including the provider.
	maxHeader = atProvider + 1 + 255
	// maxIndexed is the longest header together with the index keys of any record that this service
	// makes.
	maxIndexed = maxHeader + 2 + 8*64
)

var errFormat = errors.New(
	"the stored value is no record of this service, or one of a later version of it",
)

// tail encodes what an update replaces: head, provider, index keys and the sealed part.
func tail(e storage.Entry) ([]byte, error) {
	if len(e.Provider) > 255 {
		return nil, errors.New("the provider's id is longer than 255 bytes")
	}
	most := keys.HeadSize + 1 + len(e.Provider) + 2 + len(e.Indices)*64 + len(e.Sealed)
	b := make([]byte, keys.HeadSize, most)
	copy(b, e.Sealed)
	b = append(b, byte(len(e.Provider)))
	b = append(b, e.Provider...)
	var index []byte
	for _, key := range e.Indices {
		if len(key) > 255 {
			return nil, errors.New("an index key is longer than 255 bytes")
		}
		index = append(append(index, byte(len(key))), key...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(index)))
	return append(append(b, index...), e.Sealed...), nil
}

// encode encodes a record at version 1.
func encode(e storage.Entry) ([]byte, error) {
	rest, err := tail(e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, atHead+len(rest))
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, 1)
	for _, t := range []time.Time{e.CreatedAt, e.ExpiresAt, e.IdleExpires, e.LastActive} {
		b = binary.BigEndian.AppendUint64(b, uint64(ms(t)))
	}
	return append(b, rest...), nil
}

// header decodes the fields up to the provider, and returns the bytes that follow.
func header(name string, b []byte) (storage.Entry, []byte, error) {
	if len(b) <= atProvider || b[0] != format || len(b) < atProvider+1+int(b[atProvider]) {
		return storage.Entry{}, nil, errFormat
	}
	rest := b[atProvider+1+int(b[atProvider]):]
	return storage.Entry{
		Name: name, Version: binary.BigEndian.Uint64(b[atVersion:]),
		Provider:  string(b[atProvider+1 : len(b)-len(rest)]),
		CreatedAt: timeAt(b, atCreated), ExpiresAt: timeAt(b, atExpires),
		IdleExpires: timeAt(b, atIdle), LastActive: timeAt(b, atActive),
		Head: b[atHead:atProvider:atProvider],
	}, rest, nil
}

// indexOf decodes the index keys that follow the header, and returns the sealed part behind them.
// If b is only the beginning of a record, keys beyond its end are missing.
func indexOf(rest []byte) (index []string, sealed []byte) {
	if len(rest) < 2 {
		return nil, nil
	}
	size := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	section := rest[:min(size, len(rest))]
	return indexKeys(section), rest[len(section):]
}

func indexKeys(section []byte) (index []string) {
	for len(section) > 0 && len(section) > int(section[0]) {
		index = append(index, string(section[1:1+section[0]]))
		section = section[1+section[0]:]
	}
	return index
}

// decode decodes a whole record.
func decode(name string, b []byte) (storage.Entry, error) {
	e, rest, err := header(name, b)
	if err != nil {
		return storage.Entry{}, err
	}
	e.Indices, e.Sealed = indexOf(rest)
	e.Head = nil
	return e, nil
}

func timeAt(b []byte, offset int) time.Time {
	return at(int64(binary.BigEndian.Uint64(b[offset:])))
}

// ms and at convert times to milliseconds since 1970 and back; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// due is when the sweeper must check a record: the earlier of the two expiries.
func due(e storage.Entry) int64 {
	if !e.IdleExpires.IsZero() && e.IdleExpires.Before(e.ExpiresAt) {
		return ms(e.IdleExpires)
	}
	return ms(e.ExpiresAt)
}
