-- What a tenant takes of its limits, over all edges: all that is asked for, or nothing. Times are the server's, in ms.
--
-- KEYS  1 rates (hash: <name> -> what is left, <name>:at -> when)  2 connections  3 utterances  (sorted sets: holder -> expiry)
--       4 voices (sorted set: voice -> last use)
-- ARGV  1 lease of a holder  2 TTL of the keys, then wishes of four words each:
--       'hold', number of its key (2 or 3), holder, most at once
--       'rate', name, amount, most in a minute (also the most at once)
--       'voice', voice, most different ones in a minute, ''
-- A holder that is there already is renewed and counts as granted.
-- Gives { 'taken' }, or { 'refused', number of the wish, ms until it may be granted; -1: never }
local lease, ttl = tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local MINUTE = 60000

local function prune(key, before) redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', before)) end

-- What is left of a rate by now, and the ms after which `amount` would be.
local function rate(name, amount, most)
  local known = redis.call('HMGET', KEYS[1], name, name .. ':at')
  local left = most
  if known[1] then left = math.min(most, tonumber(known[1]) + (now - tonumber(known[2])) * most / MINUTE) end
  if amount <= left then return left, 0 end
  if amount > most then return left, -1 end
  return left, math.ceil((amount - left) * MINUTE / most)
end

local function judge(kind, one, two, three)
  if kind == 'hold' then
    local key, most = KEYS[tonumber(one)], tonumber(three)
    prune(key, now)
    if redis.call('ZSCORE', key, two) or redis.call('ZCARD', key) < most then return 0 end
    return most == 0 and -1 or 1000
  elseif kind == 'rate' then
    local _, wait = rate(one, tonumber(two), tonumber(three))
    return wait
  end
  local most = tonumber(two)
  prune(KEYS[4], now - MINUTE)
  if redis.call('ZSCORE', KEYS[4], one) or redis.call('ZCARD', KEYS[4]) < most then return 0 end
  if most == 0 then return -1 end
  local oldest = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(oldest[2]) + MINUTE - now)
end

for i = 3, #ARGV, 4 do
  local wait = judge(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  if wait ~= 0 then return { 'refused', tostring((i - 3) / 4), string.format('%.0f', wait) } end
end

for i = 3, #ARGV, 4 do
  local kind, one, two = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if kind == 'hold' then
    redis.call('ZADD', KEYS[tonumber(one)], string.format('%.0f', now + lease), two)
  elseif kind == 'rate' then
    local left = rate(one, tonumber(two), tonumber(ARGV[i + 3]))
    redis.call('HSET', KEYS[1], one, string.format('%.3f', left - tonumber(two)), one .. ':at', string.format('%.0f', now))
  else
    redis.call('ZADD', KEYS[4], string.format('%.0f', now), one)
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
return { 'taken' }
