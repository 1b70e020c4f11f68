// Package upstreams models how programs behind cloakroom interpret a request's path. The models are
// fast enough for a million paths. Tests compare them with the real programs.
//
// A model that understands fewer spellings than its program would hide a vulnerability, so the
// tests send the same paths to both. ASP.NET Core, Windows and programs that confuse encodings are
// not available here; their models follow the documentation, and accept the most that it permits.
package upstreams
