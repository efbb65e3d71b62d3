-- A flight: who speaks a key just now.
--
-- KEYS  1 flight
-- ARGV  1 'board', 'renew' or 'land'  2 utterance  3 TTL in ms  4 a leader that may be replaced, or ''
-- Gives { the utterance that leads after this, or '' }
local leader = redis.call('GET', KEYS[1])
if ARGV[1] == 'board' then
  if not leader or leader == ARGV[4] or leader == ARGV[2] then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    leader = ARGV[2]
  end
elseif leader == ARGV[2] then
  if ARGV[1] == 'land' then
    redis.call('DEL', KEYS[1])
    leader = false
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
end
return { leader or '' }
