-- Opens a new incarnation of a stream and seals the one before. Entries may come with it: text, not audio.
--
-- KEYS  1 meta  2 readers  3 sleepers  4 entries of the expected fence  5... entries of the next one, and of some more:
--       where others have claimed meanwhile, any of them may turn out to be the current one
-- ARGV  1 expected fence  2 token of this claim  3 life, should the stream be new  4 owner  5 bound in bytes
--       6 TTL in ms  7 number of the entry to go on after, or ''  8 'unless-ended', or ''
--       9 rank of the claim, or ''  10… head and body of each entry that is stored with it
-- Gives { 'ended' } where that was asked for, { 'outranked' } where a claim of a higher rank came first,
--       { 'conflict', fence } where the entries of the current fence or the next one are not among the keys, else
--       { 'claimed', fence, life, id of the base, trimmed seq, trimmed bytes, whom to wake... }
local meta, readers, sleepers = KEYS[1], KEYS[2], KEYS[3]
local ttl = tonumber(ARGV[6])
local known = redis.call('HMGET', meta, 'fence', 'token', 'rank')
local fence = tonumber(known[1] or '0')

local function claimed(woken)
  local at = redis.call('HMGET', meta, 'fence', 'life', 'base', 'trimmed', 'trimmedBytes')
  local answer = { 'claimed', at[1], at[2], at[3], at[4] or '0', at[5] or '0' }
  for _, member in ipairs(woken) do answer[#answer + 1] = member end
  return answer
end

if ARGV[8] ~= '' then
  local over = redis.call('HMGET', meta, 'endSeq', 'leaving')
  if over[1] or over[2] == 'soon' then return { 'ended' } end
end

-- The same claim again: its first answer was lost.
if known[2] == ARGV[2] then return claimed({}) end
if ARGV[9] ~= '' and tonumber(known[3] or '0') > tonumber(ARGV[9]) then return { 'outranked' } end
local at = 4 + fence - tonumber(ARGV[1])
local before, after = KEYS[at], KEYS[at + 1]
if at < 4 or not after then return { 'conflict', fence } end

local base = '0-1' -- 0-0 is no id; the bytes of a base of 0 are 0 all the same
if fence > 0 then
  base = redis.call('HGET', meta, 'base')
  if redis.call('EXISTS', before) == 1 then
    local info = redis.call('XINFO', 'STREAM', before)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then base = info[i + 1] end
    end
  end
  local seq = string.match(base, '^%d+')
  if ARGV[7] ~= '' and ARGV[7] ~= seq then
    seq = ARGV[7]
    local found = redis.call('XRANGE', before, seq, seq, 'COUNT', 1)[1]
    base = found and found[1] or (seq .. '-' .. string.match(base, '%d+$'))
    if seq == '0' then base = '0-1' end
  end
  for f = fence, 1, -1 do
    local seal = redis.call('HGET', meta, 's:' .. f)
    if seal and tonumber(seal) <= tonumber(seq) then break end
    redis.call('HSET', meta, 's:' .. f, seq)
  end
  if tonumber(redis.call('HGET', meta, 'trimmed') or '0') > tonumber(seq) then
    redis.call('HSET', meta, 'trimmed', seq)
  end
  -- With the last id out of reach, Redis itself refuses whatever a stale writer sends from now on. (One below the
  -- very last, of which Redis speaks differently.)
  if redis.call('EXISTS', before) == 1 then
    redis.call('XSETID', before, '18446744073709551615-18446744073709551614')
    redis.call('PEXPIRE', before, ttl)
  end
else
  redis.call('HSET', meta, 'life', ARGV[3])
  if ARGV[7] ~= '' and ARGV[7] ~= '0' then base = ARGV[7] .. '-0' end
end

-- The stream is there from now on, empty and with a TTL; its last id says where it begins.
redis.call('DEL', after)
redis.call('XADD', after, base, '-', '')
redis.call('XTRIM', after, 'MAXLEN', 0)
local seq, bytes = string.match(base, '^(%d+)-(%d+)$')
if seq == '0' then bytes = 0 end
for i = 10, #ARGV, 2 do
  seq, bytes = seq + 1, bytes + #ARGV[i] + #ARGV[i + 1]
  redis.call('XADD', after, string.format('%.0f-%.0f', seq, bytes), 'h', ARGV[i], 'b', ARGV[i + 1])
end
if ARGV[9] ~= '' then redis.call('HSET', meta, 'rank', ARGV[9]) end
redis.call('HSET', meta, 'fence', fence + 1, 'token', ARGV[2], 'owner', ARGV[4], 'max', ARGV[5], 'base', base)
local woken = redis.call('SPOP', sleepers, 256)
-- The stale writer may be waiting for room.
local waiter = redis.call('HGET', meta, 'waiter')
if waiter then woken[#woken + 1] = waiter end
redis.call('HDEL', meta, 'endSeq', 'endResult', 'waiter', 'leaving', 'parked')
for _, key in ipairs({ meta, readers, sleepers, after }) do redis.call('PEXPIRE', key, ttl) end
return claimed(woken)
