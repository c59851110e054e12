-- Takes an entry back: its place is emptied and a new place says so, with the same writes.
-- KEYS: last place, order, bodies, writes, reads. ARGV: member, member of the withdrawal, body of the withdrawal.
-- Answers the last place.
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then
  return tonumber(redis.call('GET', KEYS[1]) or '0')
end
local writes = redis.call('HGET', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
local place = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], place, ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[4], ARGV[2], writes)
return place
