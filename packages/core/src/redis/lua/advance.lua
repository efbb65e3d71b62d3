-- A reader's place: taken, moved, shown to be alive, or given up. Trims what every living reader has released, but
-- for the last entry of that: where nothing follows it, it tells a new owner where to go on.
-- The last reader of a stream that is leaving (remove.lua) takes it along when it detaches.
--
-- KEYS  1 meta  2 readers  3 sleepers  4 entries of the reader's incarnation  5 entries of the one before (or 4 again)
--       6... for 'detach': owner, and entries of all incarnations up to the reader's
-- ARGV  1 'attach', 'advance' or 'detach'  2 name of the reader  3 its token  4 released seq
--       5 bytes up to there, -1 if not known  6 silence in ms after which a reader no longer counts  7 TTL in ms
--       8 most readers  9 the reader's name among the sleepers
-- Gives { 'full' }, { 'replaced' } where another reader has taken the name, or
--       { 'ok', bytes up to the released seq, waiting writer or '' }
local meta, readers, sleepers, entries, before = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local mode, name, token, seq, bytes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local ttl = tonumber(ARGV[7])
local state = redis.call('HMGET', meta, 'life', 'leaving', 'trimmed', 'trimmedBytes')
local exists, leaving = state[1], state[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function number(n) return string.format('%.0f', n) end

-- A full Redis refuses what may take memory unless the script has written before; releasing is what makes room.
redis.call('SREM', sleepers, '')

-- The others that live, and whoever bears this reader's name. A hold is '<seq> <bytes> <seen at> <token>'.
local lowest, lowestBytes, others, mine
local all = redis.call('HGETALL', readers)
for i = 1, #all, 2 do
  local s, b, seen, t = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (.*)$')
  if all[i] == name then
    mine = t
  elseif now - tonumber(seen) > tonumber(ARGV[6]) then
    redis.call('HDEL', readers, all[i])
  else
    others = (others or 0) + 1
    if not lowest or tonumber(s) < lowest then lowest, lowestBytes = tonumber(s), tonumber(b) end
  end
end

local trimmed, trimmedBytes = tonumber(state[3] or '0'), tonumber(state[4] or '0')

-- The stream was removed, and the reader's place with it: nothing is made anew.
if mode == 'advance' and not exists and not mine then return { 'ok', number(trimmedBytes), '' } end

if bytes < 0 then
  -- What lies up to the last trimmed entry is a safe lower bound.
  bytes = trimmedBytes
  local found = redis.call('XRANGE', entries, number(seq), number(seq), 'COUNT', 1)[1]
  if found then bytes = tonumber(string.match(found[1], '%d+$')) end
end

if mode == 'detach' then
  redis.call('SREM', sleepers, ARGV[9])
  if mine == token then redis.call('HDEL', readers, name) end
  -- KEYS name all incarnations there are, unless another owner came after the reader last looked: then TTLs do it.
  local isLast = leaving == 'last-reader' and not others and (not mine or mine == token)
  if isLast and tonumber(redis.call('HGET', meta, 'fence')) == #KEYS - 6 then
    local waiter = redis.call('HGET', meta, 'waiter') or ''
    redis.call('UNLINK', unpack(KEYS))
    return { 'ok', number(bytes), waiter }
  end
else
  if mode == 'advance' and mine and mine ~= token then return { 'replaced' } end
  if mode == 'attach' and not mine and (others or 0) >= tonumber(ARGV[8]) then return { 'full' } end
  redis.call('HSET', readers, name, number(seq) .. ' ' .. number(bytes) .. ' ' .. number(now) .. ' ' .. token)
  if not lowest or seq < lowest then lowest, lowestBytes = seq, bytes end
end

local waiter = ''
if exists then
  if lowest and lowest > trimmed then
    redis.call('XTRIM', entries, 'MINID', number(lowest))
    if before ~= entries then redis.call('XTRIM', before, 'MINID', number(lowest)) end
    redis.call('HSET', meta, 'trimmed', number(lowest), 'trimmedBytes', number(math.max(lowestBytes, trimmedBytes)))
  end
  waiter = redis.call('HGET', meta, 'waiter') or ''
  if waiter ~= '' then redis.call('HDEL', meta, 'waiter') end
end
-- Never what leaves soon.
if mode ~= 'detach' and leaving ~= 'soon' then
  -- The keys of a stream are extended together, once a third of their time is over.
  if redis.call('PTTL', meta) < ttl * 2 / 3 then
    for _, key in ipairs({ meta, readers, entries, before }) do redis.call('PEXPIRE', key, ttl) end
  elseif not mine and not others then
    -- The hash of the readers is new, and has no time to live yet.
    redis.call('PEXPIRE', readers, ttl)
  end
end
return { 'ok', number(bytes), waiter }
