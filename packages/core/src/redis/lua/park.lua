-- An owner leaves until there is more in another stream, and says so in one step: what is appended there before is seen
-- here, and whoever appends there later sees that nobody owns this one.
--
-- KEYS  1 meta  2 entries of the owner's incarnation  3 sleepers  4 meta of the other stream  5 entries of its incarnation
-- ARGV  1 fence  2 id of the owner's last entry  3 head of this one  4 fence of the other stream  5 number of its last
--       entry that was read
-- Gives { 'gone' }, { 'stale' }, { 'more' } where there is more, or the last entry is another, or
--       { 'ok', sleepers... }
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return { 'gone' } end
if fence ~= ARGV[1] then return { 'stale' } end

local function tail(key)
  if redis.call('EXISTS', key) == 0 then return nil end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

if redis.call('HGET', KEYS[4], 'fence') ~= ARGV[4] then return { 'more' } end
local last = tail(KEYS[5])
if not last or tonumber(string.match(last, '^%d+')) > tonumber(ARGV[5]) then return { 'more' } end
if tail(KEYS[2]) ~= ARGV[2] then return { 'more' } end

local seq, bytes = string.match(ARGV[2], '^(%d+)-(%d+)$')
if seq == '0' then bytes = 0 end
redis.call('XADD', KEYS[2], string.format('%.0f-%.0f', seq + 1, bytes + #ARGV[3]), 'h', ARGV[3], 'b', '')
redis.call('HSET', KEYS[1], 'parked', ARGV[5])
local answer = { 'ok' }
for _, member in ipairs(redis.call('SPOP', KEYS[3], 256)) do answer[#answer + 1] = member end
return answer
