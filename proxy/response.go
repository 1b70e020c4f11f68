package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// droppedFields are removed from a response: they would change settings of the app's origin, or
// reveal the software behind it (CS6, PR2, PR6, PR7).
var droppedFields = set(
	"Clear-Site-Data", "Alt-Svc", "Alt-Used", "Server", "X-Powered-By", "X-Aspnet-Version",
	"X-Aspnetmvc-Version", "Via", "Strict-Transport-Security", "Public-Key-Pins",
	"Public-Key-Pins-Report-Only", "Service-Worker-Allowed", "Nel", "Report-To",
	"Reporting-Endpoints", "Expect-Ct", "Refresh", "X-Sendfile", "Www-Authenticate",
	"Proxy-Authenticate", "Authorization", "Proxy-Authorization", "X-Auth-Request-Access-Token",
	"X-Forward-Auth-Secret", "Authentication-Info", "Proxy-Authentication-Info", "Proxy-Connection",
	"X-Request-Id", "Sourcemap", "X-Sourcemap", "Critical-Ch", "Accept-Ch", "Origin-Agent-Cluster",
	"Speculation-Rules", "Observe-Browsing-Topics", "Supports-Loading-Mode", "Set-Login",
	"Activate-Storage-Access", "Attribution-Reporting-Register-Source",
	"Attribution-Reporting-Register-Trigger", "Sec-Session-Registration", "Sec-Session-Challenge",
	"Secure-Session-Registration", "Secure-Session-Challenge", "Use-As-Dictionary", "Origin-Trial",
	"Shared-Storage-Write", "Timing-Allow-Origin",
)

func isDropped(name string) bool {
	_, found := droppedFields[name]
	return found || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Accel-")
}

// cleanHeader removes the fields and cookies that must not reach the browser from a header or
// trailer.
func (p *Proxy) cleanHeader(h http.Header) {
	for name := range h {
		if isDropped(name) {
			delete(h, name)
		}
	}
	if cookies := h["Set-Cookie"]; len(cookies) > 0 {
		kept := cookies[:0:0]
		for _, c := range cookies {
			pair, _, _ := strings.Cut(c, ";")
			name, _, _ := strings.Cut(pair, "=")
			if !p.o.Site.OwnCookie(name) && !isNameless(name) {
				kept = append(kept, c)
			}
		}
		h["Set-Cookie"] = kept
		if len(kept) == 0 {
			delete(h, "Set-Cookie")
		}
	}
}

// isNameless reports whether a cookie has no name. Older parsers read its value as `name=value`, so
// it could imitate one of our cookies (RFC 6265bis §5.7).
func isNameless(name string) bool { return strings.TrimSpace(name) == "" }

// cleanResponse is the ReverseProxy's ModifyResponse.
func (p *Proxy) cleanResponse(res *http.Response) error {
	c, ok := res.Request.Context().Value(callKey{}).(*call)
	if !ok {
		panic(http.ErrAbortHandler) // unreachable: forward sets the call
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

// privateOnly keeps shared caches from storing an authenticated response. The browser's request has
// no Authorization header, so RFC 9111 §3.5 does not prevent that (PR3).
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
			directive = name // `private="field"` would apply to that field only
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

// hideUpstream rewrites a redirect within the upstream to one within the route. The proxy follows
// no redirect itself. A redirect to another host is left as it is.
func (rt *route) hideUpstream(res *http.Response) {
	for _, name := range []string{"Location", "Content-Location"} {
		to, err := url.Parse(res.Header.Get(name))
		if err != nil || to.Host == "" || !strings.EqualFold(to.Host, rt.Upstream.Host) {
			continue
		}
		rest, within := strings.CutPrefix(to.EscapedPath(), rt.base)
		if !within {
			res.Header.Del(name) // outside the route on an internal host: a browser can't use it
			continue
		}
		local := url.URL{RawQuery: to.RawQuery, Fragment: to.Fragment}
		local.Path, _ = url.PathUnescape(rt.prefix + rest)
		local.RawPath = rt.prefix + rest
		res.Header.Set(name, local.String())
	}
}
