-- How far the readers have released, for a writer near its bound. Where that is not enough, the writer is
-- noted as waiting, and the sleeping readers are given out to be woken: awake they see it and tell what they
-- have released.
--
-- KEYS  1 meta  2 readers  3 sleepers
-- ARGV  1 fence  2 number of the writer's last entry  3 bytes that must have been released for there to be room
--       4 silence in ms after which a reader no longer counts  5 the writer's name among the sleepers
-- Gives { 'gone' }, { 'stale' }, or
--       { 'room' or 'full', living readers, released seq, released bytes, sleepers... }
local meta, readers, sleepers = KEYS[1], KEYS[2], KEYS[3]
local at = redis.call('HMGET', meta, 'fence', 'trimmed', 'trimmedBytes')
if not at[1] then return { 'gone' } end
if at[1] ~= ARGV[1] then return { 'stale' } end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local living, seq, bytes = 0, nil, nil
local all = redis.call('HGETALL', readers)
for i = 1, #all, 2 do
  local s, b, seen = string.match(all[i + 1], '^(%d+) (%d+) (%d+) ')
  if now - tonumber(seen) <= tonumber(ARGV[4]) then
    living = living + 1
    if not seq or tonumber(s) < seq then seq, bytes = tonumber(s), tonumber(b) end
  end
end
-- Nobody there: what had been released stays so.
seq = seq or tonumber(at[2] or '0')
bytes = bytes or tonumber(at[3] or '0')

local enough = seq >= tonumber(ARGV[2]) or bytes >= tonumber(ARGV[3])
local answer = {
  enough and 'room' or 'full', living, string.format('%.0f', seq), string.format('%.0f', bytes)
}
if not enough then
  redis.call('HSET', meta, 'waiter', ARGV[5])
  for _, member in ipairs(redis.call('SPOP', sleepers, 256)) do answer[#answer + 1] = member end
end
return answer
