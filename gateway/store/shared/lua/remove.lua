-- Drops one case from every index, whatever its state, and tells so.
-- KEYS  entries meta hashes expiry priority senders counts events
-- ARGV  1 case id  2 event time  3 events kept
-- Returns 1 if the case was here.
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then
    return 0
end
local old = cjson.decode(known)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], old.hash)
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[6], old.sender)
if redis.call('HINCRBY', KEYS[7], old.state, -1) <= 0 then
    redis.call('HDEL', KEYS[7], old.state)
end
redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[3], '*',
    'kind', 'removed', 'case', ARGV[1], 'hash', old.hash, 'state', old.state, 'at', ARGV[2])
return 1
