package redis

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// How a record lies in Redis: one string, so that it takes little more room than what is sealed.
//
//	format 1 | version 8 | created 8 | expires 8 | idle 8 | active 8 | head 5 |
//	length 1, provider | length 2, index keys (each with a length 1) | sealed
//
// Times are milliseconds since 1970, 0 for none. The scripts read and change these fields in place:
// what moves here moves there.
const (
	format     = 1
	atVersion  = 1
	atCreated  = 9
	atExpires  = 17
	atIdle     = 25
	atActive   = 33
	atHead     = 41
	atProvider = atHead + keys.HeadSize
	// headerMost is what a listing asks for of each record: all up to the provider.
	headerMost = atProvider + 1 + 255
	// indexMost holds the index keys of every record that this service makes as well.
	indexMost = headerMost + 2 + 8*64
)

var errFormat = errors.New("what is stored is no record of this service, or of a later version of it")

// tail is what an update replaces whole: head, provider, index keys and what is sealed.
func tail(e storage.Entry) ([]byte, error) {
	if len(e.Provider) > 255 {
		return nil, errors.New("the provider's id is longer than 255 bytes")
	}
	b := make([]byte, keys.HeadSize, keys.HeadSize+1+len(e.Provider)+2+len(e.Indices)*64+len(e.Sealed))
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

// encode writes out a record at version 1.
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

// header reads all up to the provider and returns what follows it.
func header(name string, b []byte) (storage.Entry, []byte, error) {
	if len(b) <= atProvider || b[0] != format || len(b) < atProvider+1+int(b[atProvider]) {
		return storage.Entry{}, nil, errFormat
	}
	rest := b[atProvider+1+int(b[atProvider]):]
	return storage.Entry{
		Name: name, Version: binary.BigEndian.Uint64(b[atVersion:]), Provider: string(b[atProvider+1 : len(b)-len(rest)]),
		CreatedAt: timeAt(b, atCreated), ExpiresAt: timeAt(b, atExpires), IdleExpires: timeAt(b, atIdle), LastActive: timeAt(b, atActive),
		Head: b[atHead:atProvider:atProvider],
	}, rest, nil
}

// indexOf reads the index keys that follow the header, and returns what is sealed behind them. With
// only the beginning of a record, keys past its end are left out.
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

// decode reads a whole record.
func decode(name string, b []byte) (storage.Entry, error) {
	e, rest, err := header(name, b)
	if err != nil {
		return storage.Entry{}, err
	}
	e.Indices, e.Sealed = indexOf(rest)
	e.Head = nil
	return e, nil
}

func timeAt(b []byte, offset int) time.Time { return at(int64(binary.BigEndian.Uint64(b[offset:]))) }

// ms and at turn times into milliseconds since 1970 and back; the zero time is 0.
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

// due is when the sweeper must look at a record: the earlier of the two expiries.
func due(e storage.Entry) int64 {
	if !e.IdleExpires.IsZero() && e.IdleExpires.Before(e.ExpiresAt) {
		return ms(e.IdleExpires)
	}
	return ms(e.ExpiresAt)
}
