package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// droppedFields are the fields of an upstream that would act on our origin, or tell of what is behind
// it (CS6, PR2, PR6, PR7).
var droppedFields = set(
	"Clear-Site-Data", "Alt-Svc", "Alt-Used", "Server", "X-Powered-By", "X-Aspnet-Version", "X-Aspnetmvc-Version", "Via",
	"Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-Report-Only", "Service-Worker-Allowed",
	"Nel", "Report-To", "Reporting-Endpoints", "Expect-Ct", "Refresh", "X-Sendfile", "Www-Authenticate", "Proxy-Authenticate",
	"Authorization", "Proxy-Authorization", "X-Auth-Request-Access-Token", "X-Forward-Auth-Secret", "Authentication-Info", "Proxy-Authentication-Info", "Proxy-Connection", "X-Request-Id", "Sourcemap", "X-Sourcemap", "Critical-Ch", "Accept-Ch", "Origin-Agent-Cluster",
	"Speculation-Rules", "Observe-Browsing-Topics", "Supports-Loading-Mode", "Set-Login", "Activate-Storage-Access", "Attribution-Reporting-Register-Source", "Attribution-Reporting-Register-Trigger",
	"Sec-Session-Registration", "Sec-Session-Challenge", "Secure-Session-Registration", "Secure-Session-Challenge",
	"Use-As-Dictionary", "Origin-Trial", "Shared-Storage-Write", "Timing-Allow-Origin",
)

// cleanHeader removes what must not reach the browser, in headers, trailers and interim responses alike.
func (p *Proxy) cleanHeader(h http.Header) {
	for name := range h {
		if _, bad := droppedFields[name]; bad || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Accel-") {
			delete(h, name)
		}
	}
	if cookies := h["Set-Cookie"]; len(cookies) > 0 {
		kept := cookies[:0:0]
		for _, c := range cookies {
			pair, _, _ := strings.Cut(c, ";")
			name, _, _ := strings.Cut(pair, "=")
			if !p.o.Site.OwnCookie(name) && !lookAlike(name) {
				kept = append(kept, c)
			}
		}
		h["Set-Cookie"] = kept
		if len(kept) == 0 {
			delete(h, "Set-Cookie")
		}
	}
}

// lookAlike reports a name that some parser may take for a prefixed one: without a name at all, the
// value is read as `name=value` by older ones (RFC 6265bis §5.7).
func lookAlike(name string) bool { return strings.TrimSpace(name) == "" }

// cleanResponse is the ReverseProxy's ModifyResponse.
func (p *Proxy) cleanResponse(res *http.Response) error {
	c, ok := res.Request.Context().Value(callKey{}).(*call)
	if !ok {
		panic(http.ErrAbortHandler) // no response of ours is without its call
	}
	switched(res)
	p.cleanHeader(res.Header)
	p.cleanTrailer(res.Trailer, c)
	c.dropTokens(res.Header)
	p.endWithService(res)
	res.Body = cleanTrailers(p, res, c)
	h := res.Header
	sandboxActive(res)
	if !c.accessToken.IsZero() || c.session != nil {
		privateOnly(h, c.route.SharedCache)
	}
	if c.route.Token != TokenNone && c.route.Token != TokenClient {
		h.Add("Vary", "Cookie")
	}
	c.route.hideUpstream(res)
	return nil
}

// privateOnly keeps shared caches from storing an authenticated answer. Between browser and cloakroom
// there is no Authorization header, so RFC 9111 §3.5 does not protect it (PR3).
func privateOnly(h http.Header, shared bool) {
	if shared {
		return
	}
	private, kept := false, []string{}
	for directive := range strings.SplitSeq(strings.Join(h["Cache-Control"], ","), ",") {
		directive = strings.TrimSpace(directive)
		name, _, _ := strings.Cut(strings.ToLower(directive), "=")
		switch name {
		case "", "public", "s-maxage", "proxy-revalidate":
			continue
		case "private", "no-store":
			private = true
			directive = name // `private="field"` would leave the rest to shared caches
		}
		kept = append(kept, directive)
	}
	if !private {
		kept = append(kept, "private")
	}
	h.Set("Cache-Control", strings.Join(kept, ", "))
	h.Del("Surrogate-Control")
	h.Del("Cdn-Cache-Control")
}

// hideUpstream turns a redirect within the upstream into one within the route. It is never followed
// here. One that leads anywhere else is passed on as it is.
func (rt *route) hideUpstream(res *http.Response) {
	for _, name := range []string{"Location", "Content-Location"} {
		to, err := url.Parse(res.Header.Get(name))
		if err != nil || to.Host == "" || !strings.EqualFold(to.Host, rt.Upstream.Host) {
			continue
		}
		rest, within := strings.CutPrefix(to.EscapedPath(), rt.base)
		if !within {
			res.Header.Del(name) // elsewhere on an internal host: no use to a browser
			continue
		}
		local := url.URL{RawQuery: to.RawQuery, Fragment: to.Fragment}
		local.Path, _ = url.PathUnescape(rt.prefix + rest)
		local.RawPath = rt.prefix + rest
		res.Header.Set(name, local.String())
	}
}
