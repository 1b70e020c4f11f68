package redis

import "github.com/redis/rueidis"

// These are the scripts that change more than one key. Each names all its keys, which share a hash
// tag. The comments list KEYS, then ARGV after the semicolon. Offsets count from 1 in Lua, and are
// those of record.go.
const (
	// luaFields computes when a record is due.
	luaFields = `
local function due(expires, idle)
  if idle > 0 and idle < expires then return idle end
  return expires
end
`
	// 1 record, 2 outbox item, 3 due, 4 names; record, due, time to live, name
	luaCreate = `
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[4], 0, ARGV[4])
return 1`

	// 1 record, 2 due; name, version, expires, tail, time to live, channel, "true" if the index
	// already has the record under its new keys. Returns -1: gone, 0: at another version, 1:
	// done, 2: not done, because the index keys change.
	luaUpdate = luaFields + `
local old = redis.call('GET', KEYS[1])
if not old then return -1 end
local version, created, expires, idle = struct.unpack('>I8I8I8I8', old, 2)
if version ~= tonumber(ARGV[2]) then return 0 end
local function index(record, start)
  local at = start + 6 + string.byte(record, start + 5)
  return string.sub(record, at, at + 1 + struct.unpack('>I2', record, at))
end
if ARGV[7] ~= 'true' and index(old, 42) ~= index(ARGV[4], 1) then return 2 end
expires = tonumber(ARGV[3])
local new = string.sub(old, 1, 1) .. struct.pack('>I8', version + 1) .. string.sub(old, 10, 17) ..
  struct.pack('>I8', expires) .. string.sub(old, 26, 41) .. ARGV[4]
redis.call('SET', KEYS[1], new, 'PXAT', ARGV[5])
redis.call('ZADD', KEYS[2], due(expires, idle), ARGV[1])
redis.call('PUBLISH', ARGV[6], string.format('u %s %.0f', ARGV[1], version + 1))
return 1`

	// 1 record, 2 due; name, active, idle, channel
	luaTouch = luaFields + `
local old = redis.call('GETRANGE', KEYS[1], 0, 40)
if #old == 0 then return 0 end
local expires, idle, active = struct.unpack('>I8I8I8', old, 18)
active = math.max(active, tonumber(ARGV[2]))
idle = math.max(idle, tonumber(ARGV[3]))
redis.call('SETRANGE', KEYS[1], 25, struct.pack('>I8I8', idle, active))
redis.call('ZADD', KEYS[2], due(expires, idle), ARGV[1])
redis.call('PUBLISH', ARGV[4], string.format('t %s %.0f %.0f', ARGV[1], active, idle))
return 1`

	// 1 record, 2 outbox item, 3 due, 4 names, 5 out, 6 ended; name, reason, now, channel, time
	// to live of the item, 1 to end the record only if it is due. Returns the index keys, or
	// false if it did nothing.
	luaEnd = luaFields + `
local old = redis.call('GET', KEYS[1])
if not old then
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  return false
end
local now = tonumber(ARGV[3])
if ARGV[6] == '1' then
  local expires, idle = struct.unpack('>I8I8', old, 18)
  local at = due(expires, idle)
  if at > now then
    redis.call('ZADD', KEYS[3], at, ARGV[1])
    return false
  end
end
local length = string.byte(old, 47)
local at = 48 + length
local size = struct.unpack('>I2', old, at)
redis.call('HSET', KEYS[2], 'origin', ARGV[1], 'provider', string.sub(old, 48, at - 1),
  'reason', ARGV[2], 'ended', ARGV[3], 'attempts', 0, 'error', '',
  'head', string.sub(old, 42, 46), 'sealed', string.sub(old, at + 2 + size))
redis.call('PEXPIREAT', KEYS[2], ARGV[5])
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('ZADD', KEYS[6], now, ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('PUBLISH', ARGV[4], 'e ' .. ARGV[1] .. ' ' .. ARGV[2])
return string.sub(old, at + 2, at + 1 + size)`

	// 1 outbox item, 2 out, 3 ended; id, not before, ended, time to live, origin, provider,
	// reason, head, sealed.
	luaEnqueue = `
if redis.call('EXISTS', KEYS[1]) > 0 then return 0 end
redis.call('HSET', KEYS[1],
  'origin', ARGV[5], 'provider', ARGV[6], 'reason', ARGV[7], 'ended', ARGV[3],
  'attempts', 0, 'error', '', 'head', ARGV[8], 'sealed', ARGV[9])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1`

	// 1 outbox item, 2 out, 3 ended; id, now, until. Returns the item's fields, or false if it
	// is not due.
	luaLease = `
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not due or tonumber(due) > tonumber(ARGV[2]) then return false end
local item = redis.call('HMGET', KEYS[1],
  'origin', 'provider', 'reason', 'ended', 'attempts', 'error', 'head', 'sealed')
if not item[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return false
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return item`

	// 1 outbox item, 2 out; id, not before, error
	luaRetry = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HSET', KEYS[1], 'error', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1`

	// 1 outbox item, 2 out, 3 ended; id
	luaDone = `
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1`

	// 1 lease; value, ms until the key expires. The value holds the process, the ms that are
	// left of the key when the lease's ttl is over, and the holder. Returns the new value if
	// the lease was free, '' while another lasts, and the other's value if its ttl is over.
	luaAcquire = `
local has = redis.call('GET', KEYS[1])
if not has then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
local left = string.match(has, '^%S+ (%d+) ')
if not left or redis.call('PTTL', KEYS[1]) > tonumber(left) then return '' end
return has`

	// 1 lease; value, ms until the key expires, the value that it replaces.
	luaTakeOver = `
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

	// 1 lease; holder
	luaRelease = `
local has = redis.call('GET', KEYS[1])
if has and string.sub(has, -#ARGV[1] - 1) == ' ' .. ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0`

	// 1 kept value
	luaTake = `
local kept = redis.call('GET', KEYS[1])
if kept then redis.call('DEL', KEYS[1]) end
return kept`

	// 1 layout; layout version of a build that may use the store. Returns the store's version
	// afterwards: of several builds that start together, the newest's.
	luaRaise = `
local has = tonumber(redis.call('GET', KEYS[1]) or 0)
if has >= tonumber(ARGV[1]) then return has end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])`

	// 1 key of pings. Returns the time, in seconds and microseconds; nothing if the user may
	// not ask for it.
	luaPing = `
redis.call('SET', KEYS[1], '1', 'PX', 1000)
local now = redis.pcall('TIME')
if now.err then return {} end
return now`

	// 1 key of pings. The same as luaPing, without the write.
	luaTime = `
local now = redis.pcall('TIME')
if now.err then return {} end
return now`

	// 1 any key of a bucket; channel, beat. It sends a beat along the path of the bucket's
	// changes.
	luaBeat = `return redis.call('PUBLISH', ARGV[1], ARGV[2])`
)

var (
	scriptCreate   = rueidis.NewLuaScript(luaCreate)
	scriptUpdate   = rueidis.NewLuaScript(luaUpdate)
	scriptTouch    = rueidis.NewLuaScript(luaTouch)
	scriptEnd      = rueidis.NewLuaScript(luaEnd)
	scriptEnqueue  = rueidis.NewLuaScript(luaEnqueue)
	scriptLease    = rueidis.NewLuaScript(luaLease)
	scriptRetry    = rueidis.NewLuaScript(luaRetry)
	scriptDone     = rueidis.NewLuaScript(luaDone)
	scriptAcquire  = rueidis.NewLuaScript(luaAcquire)
	scriptTakeOver = rueidis.NewLuaScript(luaTakeOver)
	scriptRelease  = rueidis.NewLuaScript(luaRelease)
	scriptTake     = rueidis.NewLuaScript(luaTake)
	scriptRaise    = rueidis.NewLuaScript(luaRaise)
	scriptPing     = rueidis.NewLuaScript(luaPing)
	scriptTime     = rueidis.NewLuaScript(luaTime)
	scriptBeat     = rueidis.NewLuaScript(luaBeat)
)
