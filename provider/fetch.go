package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"
)

const (
	maxBody       = 1 << 20
	maxRetryAfter = 2 * time.Minute
)

// answer is a response that was read to its end.
type answer struct {
	status int
	kind   string // media type, "" when it is not readable
	body   []byte
	header http.Header
}

// fetch sends one request and reads its answer, within the provider's timeout. Whatever keeps an
// answer from being there is an *UnreachableError; what the answer says is the caller's to judge.
func (p *Provider) fetch(ctx context.Context, endpoint string, r *http.Request) (*answer, error) {
	start := p.now()
	a, err := p.fetchOnce(ctx, endpoint, r)
	outcome := "unreachable"
	if err == nil {
		outcome = strconv.Itoa(a.status/100) + "xx"
	}
	p.metrics.done(p.config.ID, endpoint, outcome, p.now().Sub(start))
	return a, err
}

func (p *Provider) fetchOnce(ctx context.Context, endpoint string, r *http.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	sent := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(i httptrace.WroteRequestInfo) { sent = sent || i.Err == nil },
	})
	down := func(reason string, err error) error {
		return &UnreachableError{Provider: p.config.ID, Endpoint: endpoint, Reason: reason, Err: withoutURL(err), AnswerLost: sent}
	}
	res, err := p.http.Do(r.WithContext(ctx))
	if err != nil {
		return nil, down("no answer", err)
	}
	defer res.Body.Close() // it was read to its end
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, down("the answer broke off", err)
	}
	if len(body) > maxBody {
		return nil, down("the answer is larger than 1 MiB", nil)
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	return &answer{res.StatusCode, kind, body, res.Header}, nil
}

// withoutURL takes net/http's own wrapping off: it would show the URL.
func withoutURL(err error) error {
	var u interface{ Unwrap() error }
	if errors.As(err, &u) && u.Unwrap() != nil {
		return u.Unwrap()
	}
	return err
}

// transient is the error of an answer that says nothing about the request: 429, 5xx, a page instead
// of JSON.
func (p *Provider) transient(endpoint string, a *answer) error {
	return &UnreachableError{
		Provider: p.config.ID, Endpoint: endpoint, Reason: fmt.Sprintf("it answered %d", a.status), RetryAfter: p.retryAfter(a.header),
	}
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3) in either form, capped.
func (p *Provider) retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	var d time.Duration
	if s, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(s, 3600)) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(p.now())
	}
	return max(0, min(d, maxRetryAfter))
}

// ok reports a success status.
func (a *answer) ok() bool { return a.status/100 == 2 }
