-- Takes the next place in the order of forwarding, unless an unseen entry writes what the caller read, or read what
-- the caller writes: a sequencer may mine them in the other order.
-- KEYS: last place, order (zset of members by place), bodies (hash), writes (hash), reads (hash)
-- ARGV: seen place, member, body, writes, most entries allowed, reads (separated by "|")
-- Answers {outcome, place, unseen...}: outcome 0 conflict, 1 accepted, 2 known, 3 the log was lost, 4 full.
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local seen = tonumber(ARGV[1])
if seen > last then return {3, last} end
local answer = {1, last}
local conflict = false
local function meets(reads, writes)
  for read in string.gmatch(reads, '[^|]+') do
    if string.find(writes, read, 1, true) then return true end
  end
  return false
end
if last > seen then
  local members = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. seen, '+inf', 'WITHSCORES')
  for index = 1, #members, 2 do
    answer[#answer + 1] = members[index + 1]
    answer[#answer + 1] = redis.call('HGET', KEYS[3], members[index])
    if not conflict then
      conflict = meets(ARGV[6], redis.call('HGET', KEYS[4], members[index]) or '')
        or meets(redis.call('HGET', KEYS[5], members[index]) or '', ARGV[4])
    end
  end
end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 1 then
  answer[1] = 2
  return answer
end
if conflict then
  answer[1] = 0
  return answer
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
  answer[1] = 4
  return answer
end
local place = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], place, ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[4], ARGV[2], ARGV[4])
redis.call('HSET', KEYS[5], ARGV[2], ARGV[6])
answer[2] = place
return answer
