-- One exchange of a process with the provider's slots: what it gives back, holds, wants and would rather hold
-- elsewhere. Whoever calls hands every free slot to tickets that wait, whosever they are, and is told whom to wake.
-- Tenants have turns, by their weights: a turn costs a tenant 1 / weight of virtual time, and the one with the least of
-- it is next; one that comes to wait begins with the present, so that none saves up turns. Within a tenant, and where
-- there are no tenants, the first to come is the first to be served. Times are the server's, in ms. All steps may be
-- repeated.
--
-- KEYS  1 state  2 queue (ticket -> when its utterance came)  3 waiting (ticket -> expiry)
--       4 lanes (tenant, time and ticket, in the order of their letters)  5 turns (tenant that waits -> its virtual time)
--       6 owners (ticket -> weight and tenant)  7... held, per provider key (ticket -> expiry)
-- ARGV  1 epoch known ('' if none)  2 epoch, should the state be new  3 lease  4 TTL of the keys  5 most grants
--       then the limit of each provider key (0 any number, -1 none now), then four lists, each with its length
--       first: tickets given back; held (ticket, key); wanted (ticket, age of its utterance, weight, tenant);
--       to be moved (ticket, key)
-- Gives { epoch, queue's length, leases found lost, then kind, ticket, key ... } with kind `granted` or `moved`
local state, queue, waiting, lanes, turns, owners = unpack(KEYS, 1, 6)
local FIRST = 6
local keys = #KEYS - FIRST
local lease = tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expiry = string.format('%.0f', now + lease)

local at = 5 + keys
local function list(width)
  local items = {}
  local count = tonumber(ARGV[at + 1])
  for i = 0, count - 1 do
    local from = at + 2 + i * width
    items[#items + 1] = { ARGV[from], tonumber(ARGV[from + 1]), ARGV[from + 2], ARGV[from + 3] }
  end
  at = at + 1 + count * width
  return items
end
local dropped, held, wanted, moving = list(1), list(2), list(4), list(2)

-- A ticket's place in its tenant's lane. No tenant's name holds the separator.
local function placeOf(tenant, came, ticket)
  return string.format('%s\31%017.3f\31%s', tenant, came, ticket)
end

local function ownerOf(ticket)
  local weight, tenant = string.match(redis.call('HGET', owners, ticket) or '1 ', '^(%S+) (.*)$')
  return tenant, tonumber(weight)
end

local function leave(ticket)
  local came = redis.call('ZSCORE', queue, ticket)
  if came then redis.call('ZREM', lanes, placeOf(ownerOf(ticket), tonumber(came), ticket)) end
  redis.call('ZREM', queue, ticket)
  redis.call('ZREM', waiting, ticket)
  redis.call('HDEL', owners, ticket)
end

local function enter(ticket, came, weight, tenant)
  redis.call('ZADD', queue, string.format('%.3f', came), ticket)
  redis.call('HSET', owners, ticket, weight .. ' ' .. tenant)
  redis.call('ZADD', lanes, 0, placeOf(tenant, tonumber(redis.call('ZSCORE', queue, ticket)), ticket))
  if not redis.call('ZSCORE', turns, tenant) then
    redis.call('ZADD', turns, redis.call('HGET', state, 'turn') or '0', tenant)
  end
end

-- The ticket whose turn it is, taken out of the queue.
local function nextTicket()
  for _ = 1, 256 do
    local turn = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
    local tenant, at = turn[1], tonumber(turn[2])
    -- What a process of the release before has queued has no lane.
    if not tenant then return redis.call('ZPOPMIN', queue)[1] end
    local place = redis.call('ZRANGEBYLEX', lanes, '[' .. tenant .. '\31', '(' .. tenant .. '\32', 'LIMIT', 0, 1)[1]
    if not place then
      redis.call('ZREM', turns, tenant)
    else
      local ticket = string.match(place, '^[^\31]*\31[^\31]*\31(.*)$')
      local isThere = redis.call('ZSCORE', queue, ticket)
      local _, weight = ownerOf(ticket)
      redis.call('ZREM', lanes, place)
      leave(ticket)
      if isThere then
        redis.call('HSET', state, 'turn', string.format('%.17g', at))
        redis.call('ZADD', turns, string.format('%.17g', at + 1 / weight), tenant)
        return ticket
      end
    end
  end
end

local function holds(ticket)
  for key = 1, keys do
    if redis.call('ZSCORE', KEYS[FIRST + key], ticket) then return key end
  end
end

-- What Redis has forgotten (a restart without persistence) the holders are about to tell again: no grants until
-- each has had time. And where nobody was heard for long (Redis stood still), nobody is to blame for that: no
-- expiry until each has had time.
local known = redis.call('HMGET', state, 'epoch', 'seen', 'grace', 'quiet')
local epoch, seen = known[1], tonumber(known[2] or '0')
local grace, quiet = tonumber(known[3] or '0'), tonumber(known[4] or '0')
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', state, 'epoch', epoch)
end
if ARGV[1] ~= '' and ARGV[1] ~= epoch then quiet = now + lease end
if seen > 0 and now - seen > lease / 2 then grace = now + lease end
redis.call('HSET', state, 'seen', string.format('%.0f', now), 'grace', string.format('%.0f', grace),
  'quiet', string.format('%.0f', quiet))

for _, item in ipairs(dropped) do
  leave(item[1])
  for key = 1, keys do redis.call('ZREM', KEYS[FIRST + key], item[1]) end
end
-- Also where it was lost: its holder generates, whatever is written here.
local lost = 0
for _, item in ipairs(held) do lost = lost + redis.call('ZADD', KEYS[FIRST + item[2]], expiry, item[1]) end

if now >= grace then
  for key = 1, keys do redis.call('ZREMRANGEBYSCORE', KEYS[FIRST + key], '-inf', string.format('%.0f', now)) end
  for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', string.format('%.0f', now), 'LIMIT', 0, 256)) do
    leave(ticket)
  end
end

local told = {}
local function tell(kind, ticket, key)
  told[#told + 1] = kind
  told[#told + 1] = ticket
  told[#told + 1] = tostring(key)
end

for _, item in ipairs(wanted) do
  local key = holds(item[1])
  if key then
    redis.call('ZADD', KEYS[FIRST + key], expiry, item[1])
    tell('granted', item[1], key)
  else
    if not redis.call('ZSCORE', queue, item[1]) then
      -- Of those that came in one millisecond, the first to ask.
      local turn = redis.call('HINCRBY', state, 'seq', 1) % 1000 / 1000
      enter(item[1], now - item[2] + turn, item[3], item[4])
    end
    redis.call('ZADD', waiting, expiry, item[1])
  end
end

-- The least loaded key that has a free slot.
local function free(except)
  local best, least
  for key = 1, keys do
    local limit = tonumber(ARGV[5 + key])
    local count = redis.call('ZCARD', KEYS[FIRST + key])
    if key ~= except and (limit == 0 or count < limit) then
      local load = limit == 0 and count / 1e6 or count / limit
      if not best or load < least then best, least = key, load end
    end
  end
  return best
end

for _, item in ipairs(moving) do
  local to = free(item[2])
  if to and redis.call('ZREM', KEYS[FIRST + item[2]], item[1]) == 1 then
    redis.call('ZADD', KEYS[FIRST + to], expiry, item[1])
  else
    to = item[2]
  end
  tell('moved', item[1], to)
end

if now >= quiet then
  for _ = 1, tonumber(ARGV[5]) do
    local key = free()
    local ticket = key and nextTicket()
    if not ticket then break end
    redis.call('ZREM', waiting, ticket)
    redis.call('ZADD', KEYS[FIRST + key], expiry, ticket)
    tell('granted', ticket, key)
  end
end

for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
local answer = { epoch, tostring(redis.call('ZCARD', queue)), tostring(lost) }
for _, word in ipairs(told) do answer[#answer + 1] = word end
return answer
