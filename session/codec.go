package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// recordKey is the one value of an scs session of ours.
const recordKey = "record"

// storedRecord is a record as it is written before it is sealed: the one place where its secrets
// become text.
type storedRecord struct {
	*plainRecord
	AccessToken, RefreshToken, IDToken string
}

// plainRecord has a Record's fields without its methods, so that encoding/json takes them one by one.
type plainRecord Record

func encodeRecord(r *Record) ([]byte, error) {
	b, err := json.Marshal(storedRecord{(*plainRecord)(r), r.AccessToken.Reveal(), r.RefreshToken.Reveal(), r.IDToken.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("encode record of session %s: %w", r.ID, err)
	}
	return b, nil
}

func decodeRecord(b []byte) (*Record, error) {
	s := storedRecord{plainRecord: &plainRecord{}}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, errGarbled // json's error would quote what it read
	}
	r := (*Record)(s.plainRecord)
	r.AccessToken, r.RefreshToken, r.IDToken = secret.New(s.AccessToken), secret.New(s.RefreshToken), secret.New(s.IDToken)
	return r, nil
}

// recordCodec is the scs.Codec for records; the deadline travels in the record as ExpiresAt.
type recordCodec struct{}

// Encode implements scs.Codec.
func (recordCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	r, ok := values[recordKey].(*Record)
	if !ok {
		return nil, errors.New("encode session: it holds no record")
	}
	return encodeRecord(r)
}

// Decode implements scs.Codec.
func (recordCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	r, err := decodeRecord(b)
	if err != nil {
		return time.Time{}, nil, err
	}
	return r.ExpiresAt, map[string]any{recordKey: r}, nil
}
