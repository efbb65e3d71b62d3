-- Takes hold of a session: opened anew, or taken over by one who knows its token.
--
-- KEYS  1 session
-- ARGV  1 'open' or 'resume'  2 SHA-256 of the token, in hex  3 who is rung when another takes over  4 TTL in ms
--       5... for 'open': fields and values
-- Gives { 'unknown' }, { 'refused' }, or { 'held', epoch, who held it or '', fields and values... }
local key, mode, hash = KEYS[1], ARGV[1], ARGV[2]
local known = redis.call('HMGET', key, 'epoch', 'token', 'holder')
local epoch = tonumber(known[1] or '0')

if mode == 'resume' then
  if not known[2] then return { 'unknown' } end
  -- Every character is looked at, so that the time taken tells nothing of where they differ.
  local differing = #known[2] == #hash and 0 or 1
  for i = 1, #hash do
    if string.byte(known[2], i) ~= string.byte(hash, i) then differing = differing + 1 end
  end
  if differing > 0 then return { 'refused' } end
else
  redis.call('DEL', key)
  redis.call('HSET', key, 'token', hash, unpack(ARGV, 5))
end

redis.call('HSET', key, 'epoch', epoch + 1, 'holder', ARGV[3])
redis.call('PEXPIRE', key, ARGV[4])
local answer = { 'held', tostring(epoch + 1), known[3] or '' }
for _, word in ipairs(redis.call('HGETALL', key)) do answer[#answer + 1] = word end
return answer
