// Package upstreams knows how the programs behind cloakroom read a request's path: as models, which
// are quick enough for a million paths, and as the real programs, by which each model is checked.
//
// A model that reads less into a path than its program does would let a hole pass for none. So a test
// here sends the same paths to both. ASP.NET Core, Windows and the programs that mistake an encoding
// can't be had here; their models follow what is documented, and take the most that it allows.
package upstreams
