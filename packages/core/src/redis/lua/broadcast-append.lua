-- Appends what a session's listeners are to get, and trims the log to its bound.
--
-- A holder that was superseded appends nothing: its epoch is lower. An append whose answer was lost may come again:
-- what is counted already is skipped.
--
-- KEYS  1 about (hash)  2 log (stream)  3 ears (sorted set of bell members by expiry)
-- ARGV  1 the session's epoch  2 number of the first entry in this epoch, from 1  3 TTL in ms  4 bound of the log in
--       bytes  5 cancelled utterances, by commas  6... kind, utterance, first sample, samples, body of each entry
-- Gives { 'gone' }, { 'superseded' }, or { 'ok', the bell members to be rung... }
local about, log, ears = KEYS[1], KEYS[2], KEYS[3]
local known = redis.call('HMGET', about, 'birth', 'epoch', 'count', 'bytes')
if not known[1] then return { 'gone' } end
local epoch, count, bytes = tonumber(known[2] or '0'), tonumber(known[3] or '0'), tonumber(known[4] or '0')
local mine = tonumber(ARGV[1])
if mine < epoch then return { 'superseded' } end
if mine > epoch then count = 0 end

local number = tonumber(ARGV[2])
for at = 6, #ARGV, 5 do
  if number > count then
    local kind, utterance, first, samples, body = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    redis.call('XADD', log, '*', 'k', kind, 'u', utterance, 'f', first, 's', samples, 'b', body)
    bytes = bytes + #body
    count = number
    if kind == 'frame' then
      redis.call('HSET', about, 'utterance', utterance, 'sample', tonumber(first) + tonumber(samples))
    elseif kind == 'over' then
      redis.call('HSET', about, 'over', '1')
    end
  end
  number = number + 1
end
while bytes > tonumber(ARGV[4]) do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not oldest then
    bytes = 0
    break
  end
  redis.call('XDEL', log, oldest[1])
  bytes = bytes - #oldest[2][10]
end
redis.call('HSET', about, 'epoch', mine, 'count', count, 'bytes', bytes, 'cancelled', ARGV[5])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end

local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = { 'ok' }
for _, member in ipairs(redis.call('ZRANGEBYSCORE', ears, nowMs, '+inf')) do answer[#answer + 1] = member end
return answer
