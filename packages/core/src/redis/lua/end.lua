-- Makes a stream's end durable and gives out its sleepers to be woken. The first end stays.
--
-- KEYS  1 meta  2 sleepers
-- ARGV  1 fence  2 number of the last entry  3 result
-- Gives { 'gone' }, { 'stale' }, or { 'ok', sleepers... }
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return { 'gone' } end
if fence ~= ARGV[1] then return { 'stale' } end
if redis.call('HSETNX', KEYS[1], 'endSeq', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'endResult', ARGV[3])
end
local answer = { 'ok' }
for _, member in ipairs(redis.call('SPOP', KEYS[2], 256)) do answer[#answer + 1] = member end
return answer
