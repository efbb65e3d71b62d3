-- Makes a stream's end durable and gives out its sleepers to be woken. The first end stays.
--
-- KEYS  1 meta  2 sleepers  3 entries of the incarnation
-- ARGV  1 fence  2 number of the last entry  3 result
-- Gives { 'gone' }, { 'stale' }, { 'behind' } where that entry is not there any more, or { 'ok', sleepers... }
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return { 'gone' } end
if fence ~= ARGV[1] then return { 'stale' } end
if redis.call('EXISTS', KEYS[3]) == 0 then return { 'gone' } end
local info = redis.call('XINFO', 'STREAM', KEYS[3])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) < tonumber(ARGV[2]) then
    return { 'behind' }
  end
end
if redis.call('HSETNX', KEYS[1], 'endSeq', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'endResult', ARGV[3])
end
local answer = { 'ok' }
for _, member in ipairs(redis.call('SPOP', KEYS[2], 256)) do answer[#answer + 1] = member end
return answer
