-- Takes a stream out of Redis once nobody needs it any more.
--
-- KEYS  1 meta  2 readers  3 sleepers  4 owner  5... entries of every incarnation up to the expected fence
-- ARGV  1 expected fence  2 'now', 'last-reader' or 'soon', see `Removal`  3 reader that does not count, or ''
--       4 silence in ms after which a reader no longer counts  5 TTL in ms of what stays for a moment
-- Gives { 'conflict', fence } where there are more incarnations than expected, or { 'ok', whom to wake... }
local meta, readers, sleepers = KEYS[1], KEYS[2], KEYS[3]
local fence = tonumber(redis.call('HGET', meta, 'fence') or '0')
if fence > tonumber(ARGV[1]) then return { 'conflict', fence } end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local living = 0
local all = redis.call('HGETALL', readers)
for i = 1, #all, 2 do
  local seen = string.match(all[i + 1], '^%d+ %d+ (%d+) ')
  if all[i] ~= ARGV[3] and now - tonumber(seen) <= tonumber(ARGV[4]) then living = living + 1 end
end

local answer = { 'ok' }
if ARGV[2] == 'now' and living == 0 then
  for _, member in ipairs(redis.call('SPOP', sleepers, 256)) do answer[#answer + 1] = member end
  local waiter = redis.call('HGET', meta, 'waiter')
  if waiter then answer[#answer + 1] = waiter end
  redis.call('UNLINK', unpack(KEYS))
  return answer
end

if fence == 0 then return answer end
local isSoon = ARGV[2] == 'soon'
redis.call('HSET', meta, 'leaving', isSoon and 'soon' or 'last-reader')
if isSoon or living == 0 then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
end
return answer
