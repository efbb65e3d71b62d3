-- Lets listeners with one more token in. The first one makes the broadcast.
--
-- A broadcast that an earlier session of the same id has left goes first, with its tokens.
--
-- KEYS  1 about (hash)  2 log (stream)
-- ARGV  1 field of the token  2 TTL in ms  3 most tokens  4 birth of the session  5 its id, as listeners name it  6 its sample
--       rate in Hz, 0 for the edges' own
-- Gives { 'full' } or { 'ok' }
local about = KEYS[1]
if redis.call('HGET', about, 'birth') ~= ARGV[4] then redis.call('DEL', about, KEYS[2]) end
local tokens = 0
for _, field in ipairs(redis.call('HKEYS', about)) do
  if string.sub(field, 1, 2) == 't:' then tokens = tokens + 1 end
end
if redis.call('HEXISTS', about, ARGV[1]) == 0 and tokens >= tonumber(ARGV[3]) then return { 'full' } end
redis.call('HSET', about, ARGV[1], '1', 'birth', ARGV[4], 'id', ARGV[5], 'rate', ARGV[6])
redis.call('PEXPIRE', about, ARGV[2])
return { 'ok' }
