package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// A target is the content of a URL.
type target struct {
	option rueidis.ClientOption
	prefix string
	// waitReplicas is how many replicas must confirm a write before it counts as done.
	waitReplicas int64
}

// validPrefix keeps braces out of keys: they would move a key to another slot.
var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// parameters are the query parameters of a URL.
var parameters = map[string]func(*target, []string) error{
	"addr":       nil, // rueidis reads it
	"master_set": nil,
	"prefix": func(t *target, v []string) error {
		if !validPrefix.MatchString(v[0]) {
			return errors.New("prefix may have up to 64 letters, digits and . _ : -")
		}
		t.prefix = v[0]
		return nil
	},
	"sentinel_username": func(t *target, v []string) error {
		t.option.Sentinel.Username = v[0]
		return nil
	},
	"sentinel_password": func(t *target, v []string) error {
		t.option.Sentinel.Password = v[0]
		return nil
	},
	"wait_replicas": func(t *target, v []string) (err error) {
		t.waitReplicas, err = strconv.ParseInt(v[0], 10, 64)
		if err != nil || t.waitReplicas < 0 || t.waitReplicas > maxWaitReplicas {
			return fmt.Errorf("wait_replicas must be a number from 0 to %d", maxWaitReplicas)
		}
		return nil
	},
	"ca_file": func(t *target, v []string) error { return t.trust(v[0]) },
	"server_name": func(t *target, v []string) error {
		if t.option.TLSConfig == nil {
			return errors.New("server_name is for rediss:// only")
		}
		t.option.TLSConfig.ServerName = v[0]
		return nil
	},
}

// parse reads redis://[user][:password@]host[:port][/database][?parameters], or rediss:// for TLS.
//
//   - addr=host:port, repeated: further nodes of a Cluster, or further Sentinels
//   - master_set=NAME: the hosts are Sentinels, and NAME is the group they watch;
//     sentinel_username and sentinel_password are for them
//   - prefix=NAME: the prefix of all keys and channels; default cloakroom
//   - wait_replicas=N: a login, a renewal, the lease on one, a logout and a revocation are done
//     once N replicas have confirmed them; default 0
//   - ca_file=PATH: a PEM file with the authority that signed the servers' certificates; default:
//     the system's authorities
//   - server_name=HOST: the name in the servers' certificates, if it is not the address
//
// A single host is asked whether it is part of a Cluster.
func parse(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return target{}, errors.New("it is not a URL such as redis://user:password@host:6379/0; " +
			"special characters in a password must be percent-encoded")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return target{}, errors.New("it begins with neither redis:// nor rediss://")
	}
	t := target{prefix: "cloakroom"}
	if t.option, err = rueidis.ParseURL(raw); err != nil {
		return target{}, errors.New("the database must be a number: redis://host:6379/0")
	}
	if t.option.TLSConfig != nil {
		t.option.TLSConfig.ServerName = "" // each node's certificate must have the node's own name
	}
	q := u.Query()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		apply, known := parameters[name]
		if !known {
			known := strings.Join(slices.Sorted(maps.Keys(parameters)), ", ")
			return target{}, fmt.Errorf("parameter %q is not known; there are %s", name, known)
		}
		if apply == nil {
			continue
		}
		if err := apply(&t, q[name]); err != nil {
			return target{}, err
		}
	}
	t.option.Sentinel.TLSConfig = t.option.TLSConfig
	return t, nil
}

// trust makes the client verify certificates against one authority instead of the system's.
func (t *target) trust(path string) error {
	if t.option.TLSConfig == nil {
		return errors.New("ca_file is for rediss:// only")
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("ca_file holds no certificate in PEM form")
	}
	t.option.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: t.option.TLSConfig.ServerName,
	}
	return nil
}
