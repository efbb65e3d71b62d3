-- Takes hold of a session: opens a new one, or resumes one with its token, which is replaced by another at once.
--
-- The token that was replaced goes on working until the holder says that its client has the new one (session-change
-- removes `previous`): a client whose answer was lost comes back with the older one.
--
-- KEYS  1 session
-- ARGV  1 'open' or 'resume'  2 SHA-256 of the token that counts from now on, in hex  3 the holder, which is rung when
--       another takes over  4 TTL in ms
--       'open': 5... fields and values;  'resume': 5 SHA-256 of the token shown, in hex
-- Gives { 'taken' } where 'open' finds the session held, { 'unknown' }, { 'refused' }, or
--       { 'held', epoch, who held it or '', fields and values... }
local key, mode, hash, holder = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HMGET', key, 'epoch', 'token', 'holder', 'previous')
local epoch = tonumber(known[1] or '0')

-- Looks at every character, so that the time taken tells nothing of where the two differ.
local function equal(stored, shown)
  if not stored or #stored ~= #shown then return false end
  local differing = 0
  for i = 1, #shown do
    if string.byte(stored, i) ~= string.byte(shown, i) then differing = differing + 1 end
  end
  return differing == 0
end

if mode == 'resume' then
  if not known[2] then return { 'unknown' } end
  local isCurrent, isPrevious = equal(known[2], ARGV[5]), equal(known[4], ARGV[5])
  if not isCurrent and not isPrevious then return { 'refused' } end
  redis.call('HSET', key, 'token', hash, 'previous', ARGV[5])
elseif not known[2] then
  redis.call('DEL', key)
  redis.call('HSET', key, 'token', hash, unpack(ARGV, 5))
  -- Of a session that Redis has lost, and whose holder stores it again.
  epoch = tonumber(redis.call('HGET', key, 'epoch') or '0')
-- The same call again, whose answer was lost, finds what it has made.
elseif known[3] ~= holder or known[2] ~= hash then
  return { 'taken' }
end

redis.call('HSET', key, 'epoch', epoch + 1, 'holder', holder)
redis.call('PEXPIRE', key, ARGV[4])
local answer = { 'held', tostring(epoch + 1), known[3] or '' }
for _, word in ipairs(redis.call('HGETALL', key)) do answer[#answer + 1] = word end
return answer
