-- Takes an entry into the cache's index, or corrects its size there, and makes room for it by taking out the
-- least used. The entries themselves lie in other slots: whoever calls unlinks them. Until that is told (drop)
-- they are doomed, and given out again to others after a while, should the caller have died.
--
-- KEYS  1 scores (key -> score)  2 facts (key -> '<bytes> <voice>')  3 expiries (key -> ms)
--       4 doomed (key -> since when)  5 state
-- ARGV  1 'reserve', or 'confirm' for one that is still listed  2 key  3 bytes  4 voice  5 life in ms
--       6 most bytes  7 half-life of a use in ms  8 TTL of the index in ms  9 most victims  10 age at which
--       doomed ones are given out again
-- Gives { 'admitted' | 'full' | 'gone', entries taken out, keys to be unlinked... }
local scores, facts, expiries, doomed, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local key, bytes, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function number(n) return string.format('%.0f', n) end

local function take(victim)
  local fact = redis.call('HGET', facts, victim)
  if fact then redis.call('HINCRBY', state, 'bytes', '-' .. string.match(fact, '^%d+')) end
  redis.call('HDEL', facts, victim)
  redis.call('ZREM', scores, victim)
  redis.call('ZREM', expiries, victim)
end

local score = redis.call('ZSCORE', scores, key)
if ARGV[1] == 'confirm' and not score then return { 'gone', '0' } end
take(key)

-- These have ended by themselves.
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', number(now), 'LIMIT', 0, 256)) do
  take(expired)
end

local victims = 0
local stored = tonumber(redis.call('HGET', state, 'bytes') or '0')
while stored + bytes > most and victims < tonumber(ARGV[9]) do
  local victim = redis.call('ZRANGE', scores, 0, 0)[1]
  if not victim then break end
  take(victim)
  redis.call('ZADD', doomed, number(now), victim)
  victims = victims + 1
  stored = tonumber(redis.call('HGET', state, 'bytes') or '0')
end

local answer = { 'admitted', tostring(victims) }
if stored + bytes > most then
  answer[1] = 'full'
else
  redis.call('ZADD', scores, score or string.format('%.9f', now / tonumber(ARGV[7])), key)
  redis.call('HSET', facts, key, number(bytes) .. ' ' .. ARGV[4])
  redis.call('ZADD', expiries, number(now + tonumber(ARGV[5])), key)
  redis.call('HINCRBY', state, 'bytes', number(bytes))
  redis.call('ZREM', doomed, key)
end
for _, fresh in ipairs(redis.call('ZRANGEBYSCORE', doomed, number(now), number(now), 'LIMIT', 0, 512)) do
  answer[#answer + 1] = fresh
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', doomed, '-inf', number(now - tonumber(ARGV[10])), 'LIMIT', 0, 64)) do
  answer[#answer + 1] = old
end
for _, index in ipairs(KEYS) do redis.call('PEXPIRE', index, ARGV[8]) end
return answer
