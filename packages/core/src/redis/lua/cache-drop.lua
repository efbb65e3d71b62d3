-- Takes entries out of the cache's index: 'forget' those that are gone, 'doom' those that are to be unlinked,
-- 'deleted' those that were doomed and have been unlinked. Safe to repeat.
--
-- KEYS  1 scores  2 facts  3 expiries  4 doomed  5 state
-- ARGV  1 'forget', 'doom' or 'deleted'  2 TTL of the index in ms  3... keys
-- Gives { how many were listed }
local listed = 0
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
for i = 3, #ARGV do
  local key = ARGV[i]
  if ARGV[1] == 'deleted' then
    redis.call('ZREM', KEYS[4], key)
  else
    local fact = redis.call('HGET', KEYS[2], key)
    if fact then
      listed = listed + 1
      -- In this order: a Redis without memory lets a script finish once it has freed something.
      redis.call('HDEL', KEYS[2], key)
      redis.call('HINCRBY', KEYS[5], 'bytes', '-' .. string.match(fact, '^%d+'))
    end
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[3], key)
    if ARGV[1] == 'doom' then redis.call('ZADD', KEYS[4], now, key) end
  end
end
for _, index in ipairs(KEYS) do redis.call('PEXPIRE', index, ARGV[2]) end
return { tostring(listed) }
