-- A flight: who speaks a key just now, and whether anybody has joined.
--
-- KEYS  1 flight
-- ARGV  1 'board', 'renew', 'leave' (only if nobody has joined) or 'land'  2 utterance  3 TTL in ms
--       4 a leader that may be replaced, or ''
-- Gives { the utterance that leads after this, or '', '1' where others have joined it, also where it has just landed }
local at = redis.call('HMGET', KEYS[1], 'leader', 'joined')
local leader, joined = at[1], at[2]
if ARGV[1] == 'board' then
  if not leader or leader == ARGV[4] or leader == ARGV[2] then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'leader', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    leader, joined = ARGV[2], false
  else
    redis.call('HSET', KEYS[1], 'joined', '1')
    joined = '1'
  end
elseif leader == ARGV[2] then
  if ARGV[1] == 'renew' then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  elseif ARGV[1] == 'land' or not joined then
    redis.call('DEL', KEYS[1])
    leader = false
  end
end
return { leader or '', joined or '' }
