-- A change by the one who holds a session; by one who no longer does it is refused.
--
-- KEYS  1 session
-- ARGV  1 the holder, as it said when it took hold  2 TTL in ms, 0 to forget the session
--       3 number of fields to be removed, these fields, then fields and values to be set
-- Gives { 'gone' }, { 'superseded' }, or { 'ok' }
local holder = redis.call('HGET', KEYS[1], 'holder')
if not holder then return { 'gone' } end
if holder ~= ARGV[1] then return { 'superseded' } end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return { 'ok' }
end
local removed = tonumber(ARGV[3])
if removed > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 4, 3 + removed)) end
if #ARGV > 3 + removed then redis.call('HSET', KEYS[1], unpack(ARGV, 4 + removed)) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'ok' }
