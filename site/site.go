// Package site knows what is judged by the service's public address: what trusted proxies say of where a
// request came from, and what a browser says of who is behind it.
//
// It is handed requests and a few values, and reads headers; it answers nothing and knows no session. Its weak
// point is trust: a proxy in server.trusted_proxies that passes a caller's own headers on unchanged speaks
// with the caller's voice.
package site
