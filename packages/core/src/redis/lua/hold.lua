-- Asks whether an owner is still the newest, and shows that it lives: whoever waits for it can ask for that.
--
-- KEYS  1 meta  2 owner
-- ARGV  1 fence  2 how long it counts as alive, in ms
-- Gives { 'gone' }, { 'stale' } or { 'ok' }
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return { 'gone' } end
if fence ~= ARGV[1] then return { 'stale' } end
redis.call('SET', KEYS[2], fence, 'PX', ARGV[2])
return { 'ok' }
