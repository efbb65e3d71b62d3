-- Moves what is known of an utterance from the open accounts to a tenant's totals, once.
--
-- KEYS  1 open accounts (hash: utterance -> what was asked)  2 totals
-- ARGV  1 utterance; '' for what has no account  2 TTL of the totals in ms, then names and amounts to be added
-- Gives { 'closed' }, or { 'gone' } where it was closed before
if ARGV[1] ~= '' and redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return { 'gone' } end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] ~= '0' then redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { 'closed' }
