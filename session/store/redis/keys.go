package redis

import (
	"fmt"
	"strings"

	"github.com/cloakroom/cloakroom/session/storage"
)

// buckets is the number of hash tags, and so the number of primaries of a Cluster that can share
// the load. Neither it nor the tags can change without moving every record.
const buckets = 16

// tags are the buckets' hash tags. Each lies in the middle of its sixteenth of a Cluster's slots
// (CRC16 of the tag, modulo 16384), so that primaries with equal shares of the slots have equal
// shares of the buckets.
var tags = [buckets]string{
	"0ax", "1oy", "2cx", "3bx", "4ex", "5zz", "6yz", "7xz",
	"8wz", "9vz", "aoo", "bed", "cli", "dcd", "eko", "fad",
}

// alphabet holds the characters of a name, base64url, in byte order.
const alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// A keyspace makes the names of keys. Buckets follow the byte order of names, so that a listing
// reads one after the other.
type keyspace struct{ prefix string }

// bucketOf returns the bucket of a record, of its outbox item and of its lease.
func bucketOf(name string) int {
	if name == "" {
		return 0
	}
	i := strings.IndexByte(alphabet, name[0])
	if i < 0 { // this service makes no such name
		i = len(alphabet) * int(name[0]) / 256
	}
	return i * buckets / len(alphabet)
}

func (k keyspace) in(bucket int, rest string) string {
	return fmt.Sprintf("%s:{%s}:%s", k.prefix, tags[bucket], rest)
}

func (k keyspace) record(n string) string  { return k.in(bucketOf(n), "s:"+n) }
func (k keyspace) item(id string) string   { return k.in(bucketOf(id), "o:"+id) }
func (k keyspace) lease(key string) string { return k.in(bucketOf(key), "l:"+key) }

// due holds the names of a bucket, ordered by when the sweeper must check them; names holds them in
// byte order.
func (k keyspace) due(bucket int) string   { return k.in(bucket, "due") }
func (k keyspace) names(bucket int) string { return k.in(bucket, "names") }

// out holds the ids of the outbox, ordered by when they are due; ended holds them in the order in
// which their sessions ended.
func (k keyspace) out(bucket int) string   { return k.in(bucket, "out") }
func (k keyspace) ended(bucket int) string { return k.in(bucket, "ended") }

// written and indicesWritten are keys that replicated writes: they lie in the slots of the writes
// that replicas must confirm.
func (k keyspace) written(bucket int) string { return k.in(bucket, "written") }

func (k keyspace) indicesWritten(e storage.Entry) (all []string) {
	for _, key := range e.Indices {
		all = append(all, fmt.Sprintf("%s:w:{%s}", k.prefix, k.index(key)))
	}
	return all
}

func (k keyspace) index(key string) string { return k.prefix + ":i:" + key }
func (k keyspace) mark(key string) string  { return k.prefix + ":m:" + key }
func (k keyspace) kept(key string) string  { return k.prefix + ":k:" + key }

// layout holds the layout version. In a Cluster its name alone decides its slot, as for the other
// keys without a tag.
func (k keyspace) layout() string { return k.prefix + ":layout" }
func (k keyspace) ping() string   { return k.prefix + ":ping" }

func (k keyspace) changes() string              { return k.prefix + ":changes" }
func (k keyspace) beats(listener string) string { return k.prefix + ":beats:" + listener }
