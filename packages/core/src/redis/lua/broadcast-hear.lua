-- Writes an edge down as listening, for some time, and tells where the broadcast stands.
--
-- KEYS  1 about (hash)  2 ears (sorted set of bell members by expiry)
-- ARGV  1 bell member  2 how long it listens, in ms; 0 takes it off
-- Gives { 'gone' }, or { 'live' or 'over', Redis' time in ms, cancelled utterances by commas, sample rate in Hz or 0 }
local about, ears = KEYS[1], KEYS[2]
local known = redis.call('HMGET', about, 'birth', 'over', 'cancelled', 'rate')
if ARGV[2] == '0' then
  redis.call('ZREM', ears, ARGV[1])
elseif known[1] then
  local time = redis.call('TIME')
  local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('ZREMRANGEBYSCORE', ears, '-inf', nowMs)
  redis.call('ZADD', ears, nowMs + tonumber(ARGV[2]), ARGV[1])
  redis.call('PEXPIRE', ears, ARGV[2])
  return { known[2] and 'over' or 'live', tostring(nowMs), known[3] or '', known[4] or '0' }
end
return { 'gone' }
