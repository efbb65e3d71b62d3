-- Sets or puts off the expiry of all keys of a stream.
--
-- KEYS  1 meta  2 readers  3 sleepers  4... entries of every incarnation up to the expected fence
-- ARGV  1 expected fence  2 TTL in ms, 0 for at once  3 'set', or 'extend' for at least so long
-- Gives { 'conflict', fence } where there are more incarnations than expected, or { 'ok', sleepers... }
local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
if fence > tonumber(ARGV[1]) then return { 'conflict', fence } end
local ttl = tonumber(ARGV[2])
-- What is leaving (remove.lua) is kept by its readers alone.
if ARGV[3] == 'extend' and redis.call('HEXISTS', KEYS[1], 'leaving') == 1 then return { 'ok' } end
local answer = { 'ok' }
if ttl == 0 then
  for _, member in ipairs(redis.call('SPOP', KEYS[3], 256)) do answer[#answer + 1] = member end
end
for _, key in ipairs(KEYS) do
  if ttl == 0 then
    redis.call('UNLINK', key)
  elseif ARGV[3] == 'set' or redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
end
return answer
