-- Counts uses of entries. A score is log2 of the uses, each worth half after a half-life: that keeps its order
-- as time goes by, so it is written only when an entry is used.
--
-- KEYS  1 scores
-- ARGV  1 half-life of a use in ms  2... key, uses since the last time
-- Gives the keys that the index does not know
local time = redis.call('TIME')
local now = (tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)) / tonumber(ARGV[1])
local unknown = {}
for i = 2, #ARGV, 2 do
  local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '')
  if score then
    local used = now + math.log(tonumber(ARGV[i + 1])) / math.log(2)
    local more = math.max(score, used) + math.log(1 + 2 ^ -math.abs(score - used)) / math.log(2)
    redis.call('ZADD', KEYS[1], string.format('%.9f', more), ARGV[i])
  else
    unknown[#unknown + 1] = ARGV[i]
  end
end
return unknown
