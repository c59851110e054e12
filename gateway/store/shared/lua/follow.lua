-- Brings one case of the live queue to the state that the record gave it: entry, indexes, counts and event at once.
-- The record numbers its changes; an older number than the one known here is a late writer and changes nothing.
--
-- KEYS  entries meta hashes expiry priority senders counts events gone:<case id>
-- ARGV  1 case id  2 version  3 state  4 "1" if the state is final  5 transaction hash  6 sender index member
--       7 expiry score  8 priority score  9 entry  10 event time  11 seconds to remember a case that left
--       12 events kept
-- Returns {1 if anything changed, 1 if the case was here before}
local entries, meta, hashes, expiry, priority, senders, counts, events, gone =
    KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local case_id, version, state, final = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'

local left_at = redis.call('GET', gone)
if left_at and tonumber(left_at) >= version then
    return {0, 0}
end

local known = redis.call('HGET', meta, case_id)
local old = known and cjson.decode(known)
if old and (old.version > version or (old.version == version and old.state == state)) then
    return {0, 1}
end

if old then
    if redis.call('HINCRBY', counts, old.state, -1) <= 0 then
        redis.call('HDEL', counts, old.state)
    end
    redis.call('ZREM', senders, old.sender)
end

local kind
if final then
    redis.call('SET', gone, version, 'EX', ARGV[11])
    if not old then
        return {0, 0}
    end
    redis.call('HDEL', entries, case_id)
    redis.call('HDEL', meta, case_id)
    redis.call('HDEL', hashes, ARGV[5])
    redis.call('ZREM', expiry, case_id)
    redis.call('ZREM', priority, case_id)
    kind = 'removed'
else
    redis.call('HSET', entries, case_id, ARGV[9])
    redis.call('HSET', meta, case_id,
        cjson.encode({version = version, state = state, sender = ARGV[6], hash = ARGV[5]}))
    redis.call('HSET', hashes, ARGV[5], case_id)
    redis.call('ZADD', expiry, ARGV[7], case_id)
    redis.call('ZADD', priority, ARGV[8], case_id)
    redis.call('ZADD', senders, 0, ARGV[6])
    redis.call('HINCRBY', counts, state, 1)
    kind = (not old and 'held') or (old.state ~= state and 'moved') or 'changed'
end

redis.call('XADD', events, 'MAXLEN', '~', ARGV[12], '*',
    'kind', kind, 'case', case_id, 'hash', ARGV[5], 'state', state, 'at', ARGV[10])
return {1, old and 1 or 0}
