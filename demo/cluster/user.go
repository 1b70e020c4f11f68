package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A user simulates a person with a browser, who logs in, calls the API all the time, now and then
// logs out, and checks that the logout took effect.
type user struct {
	crowd *Crowd
	app   string // origin

	client *http.Client
	sid    string // of the login; "" if the user is not logged in
	ticket string // the Cookie header after the login
	unsure bool   // a logout was requested, but its outcome is unknown
}

// A problemBody is the body of an error of the service.
type problemBody struct {
	Code string `json:"code"`
}

// live simulates the user until ctx ends.
func (u *user) live(ctx context.Context) {
	for ctx.Err() == nil {
		if err := u.logIn(ctx); err != nil {
			u.crowd.count(func(t *Tally) { t.LoginsFailed++ })
			sleep(ctx, time.Second/2+rand.N(time.Second))
			continue
		}
		u.crowd.loggedIn(u.sid)
		u.stay(ctx)
	}
}

// stay calls the API until the user has logged out or is found to be logged out.
func (u *user) stay(ctx context.Context) {
	until := time.Now().Add(time.Duration(rand.ExpFloat64() * float64(u.crowd.stay)))
	for ctx.Err() == nil {
		sleep(ctx, u.crowd.pace/2+rand.N(u.crowd.pace))
		if time.Now().After(until) && u.logOut(ctx) {
			return
		}
		if !u.callTwice(ctx) {
			return
		}
	}
}

// callTwice makes two concurrent calls, as pages do. It returns false if the user is logged out.
func (u *user) callTwice(ctx context.Context) bool {
	defer u.crowd.waiting(u)()
	codes := make([]string, 2)
	var both sync.WaitGroup
	for i := range codes {
		both.Go(func() { codes[i] = u.call(ctx) })
	}
	both.Wait()
	for _, code := range codes {
		if code == "" {
			continue
		}
		if !u.unsure {
			u.crowd.wronglyOut(u.sid, code)
		}
		u.crowd.ended(u.sid, u.ticket)
		u.sid = ""
		return false
	}
	return true
}

// call makes one call. It returns the code of a 401, or "" for any other answer.
func (u *user) call(ctx context.Context) (unauthorized string) {
	began := time.Now()
	status, body, err := u.fetch(ctx, http.MethodGet, "/api/thing")
	if ctx.Err() != nil {
		return ""
	}
	p := problemOf(body)
	u.crowd.count(func(t *Tally) {
		t.Calls++
		switch {
		case err != nil:
			t.Lost++
		case status == http.StatusOK:
			t.OK++
			t.Slowest = max(t.Slowest, time.Since(began))
		case status == http.StatusServiceUnavailable:
			t.Unavailable++
			t.LastUnavailable = p.Code
		case status == http.StatusUnauthorized && p.Code != "":
		default:
			t.Failed++
			t.LastFailure = fmt.Sprintf("%d %s", status, p.Code)
		}
	})
	if err == nil && status == http.StatusUnauthorized && p.Code != "" {
		return p.Code
	}
	return ""
}

// logOut logs out, and then calls the API for a while with the old cookies. A replica that answers
// 200 does not know of the logout yet, which is permitted for max_staleness. logOut returns whether
// the user is logged out.
func (u *user) logOut(ctx context.Context) bool {
	status, _, err := u.fetch(context.WithoutCancel(ctx), http.MethodPost, "/bff/logout")
	if err != nil || status != http.StatusOK && status != http.StatusNoContent {
		u.unsure = true // a frozen store may still process it when it resumes
		u.crowd.unsure(u.sid)
		return false
	}
	u.crowd.ended(u.sid, u.ticket)
	u.crowd.count(func(t *Tally) { t.Logouts++ })
	u.sid = ""
	out := time.Now()
	for pause := time.Millisecond; pause < 3*maxStaleness; pause *= 3 {
		sleep(ctx, pause)
		began := time.Now()
		if status, err := CallWith(ctx, u.app, u.app, u.ticket); err == nil && status == http.StatusOK {
			u.crowd.count(func(t *Tally) {
				if began.Sub(out) > maxStaleness {
					t.AnsweredAfterLogout++
				} else {
					t.HeardLate++
				}
			})
		}
	}
	return true
}

// CallWith calls the API with a Cookie header, at the app or at one of its replicas, and returns
// the status.
func CallWith(ctx context.Context, at, app, ticket string) (status int, err error) {
	req, err := script(ctx, http.MethodGet, at+"/api/thing", app)
	if err != nil {
		return 0, err
	}
	req.Host = strings.TrimPrefix(app, "http://")
	req.Header.Set("Cookie", ticket)
	client := &http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// script makes a request as a page's script does.
func script(ctx context.Context, method, to, app string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"X-CSRF": "1", "Accept": "application/json", "Origin": app,
		"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty",
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

func (u *user) fetch(ctx context.Context, method, path string) (int, []byte, error) {
	req, err := script(ctx, method, u.app+path, u.app)
	if err != nil {
		return 0, nil, err
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

func problemOf(body []byte) (p problemBody) {
	_ = json.Unmarshal(body, &p) // any other body leaves the code empty
	return p
}

var loginForm = regexp.MustCompile(`name="id" value="([^"]+)"`)

// logIn logs in at the provider, in a browser without cookies.
func (u *user) logIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	u.client = &http.Client{Jar: jar, Transport: u.crowd.transport, Timeout: 20 * time.Second}
	u.unsure = false
	page, at, err := u.visit(ctx, http.MethodGet, u.app+"/bff/login", nil)
	if err != nil {
		return err
	}
	id := loginForm.FindSubmatch(page)
	if id == nil {
		return fmt.Errorf("no login page at %s", at.Path)
	}
	form := url.Values{"id": {string(id[1])}, "username": {u.crowd.name}, "password": {u.crowd.password}}
	if _, at, err = u.visit(ctx, http.MethodPost, at.Scheme+"://"+at.Host+"/login", form); err != nil {
		return err
	}
	if at.Scheme+"://"+at.Host != u.app || strings.HasPrefix(at.Path, "/bff/") {
		return errors.New("the login did not return to the app")
	}
	u.ticket = ""
	for _, held := range jar.Cookies(at) {
		u.ticket += held.Name + "=" + held.Value + "; "
	}
	status, body, err := u.fetch(ctx, http.MethodGet, "/bff/user?format=object")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("read the user: status %d: %w", status, err)
	}
	var claims struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(body, &claims); err != nil || claims.SID == "" {
		return fmt.Errorf("the session has no sid: %w", err)
	}
	u.sid = claims.SID
	return nil
}

// visit loads a page, follows redirects, and returns the final URL.
func (u *user) visit(ctx context.Context, method, to string, form url.Values) ([]byte, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return nil, nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Accept", "text/html")
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
		err = fmt.Errorf("status %d at %s", resp.StatusCode, resp.Request.URL.Path)
	}
	return body, resp.Request.URL, err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
