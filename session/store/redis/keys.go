package redis

import (
	"fmt"
	"strings"

	"github.com/cloakroom/cloakroom/session/storage"
)

// buckets is how many hash tags there are: so many primaries of a Cluster can share the work. Neither it nor the
// tags can be changed without moving every record.
const buckets = 16

// tags are the buckets' hash tags. Each lies in the middle of its sixteenth of a Cluster's slots (CRC16 of the tag,
// modulo 16384), so that primaries with equal parts of the slots have equal parts of the buckets.
var tags = [buckets]string{
	"0ax", "1oy", "2cx", "3bx", "4ex", "5zz", "6yz", "7xz", "8wz", "9vz", "aoo", "bed", "cli", "dcd", "eko", "fad",
}

// alphabet are the characters of a name, base64url, in byte order.
const alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// A keyspace names what the store keeps. Buckets follow the byte order of names, so that a listing goes from
// one to the next.
type keyspace struct{ prefix string }

// bucketOf is the bucket of a record, of its outbox item and of its lease.
func bucketOf(name string) int {
	if name == "" {
		return 0
	}
	i := strings.IndexByte(alphabet, name[0])
	if i < 0 { // no name that this service makes
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

// due holds the names of a bucket by when the sweeper must look at them, names holds them in byte order.
func (k keyspace) due(bucket int) string   { return k.in(bucket, "due") }
func (k keyspace) names(bucket int) string { return k.in(bucket, "names") }

// out holds the ids of the outbox by when they are due, ended holds them by when their session ended.
func (k keyspace) out(bucket int) string   { return k.in(bucket, "out") }
func (k keyspace) ended(bucket int) string { return k.in(bucket, "ended") }

// written and indicesWritten are written after what replicas must have, in the same slots.
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

// layout holds the version of all this. In a Cluster it lies where its name puts it, as the others without a tag do.
func (k keyspace) layout() string { return k.prefix + ":layout" }
func (k keyspace) ping() string   { return k.prefix + ":ping" }

func (k keyspace) changes() string              { return k.prefix + ":changes" }
func (k keyspace) beats(listener string) string { return k.prefix + ":beats:" + listener }
