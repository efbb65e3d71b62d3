-- One event in the life of a circuit, or with `look` none: who asks is told where it stands. Times are the
-- server's; what is given out are durations in ms.
--
-- KEYS  1 circuit
-- ARGV  1 event: look, fault, success, probe (may I?), drop (the probe came to nothing)  2 token, of a probe
--       3 faults in a row that open it  4 how long it stays open  5 how long a probe may take  6 TTL
-- Gives { at, faults, ms until a probe may be made (-1: closed), ms the probe under way has left (0: there is none),
--         1 if something changed, 1 if the caller has the probe }; `at` rises with every change
local circuit, event, token = KEYS[1], ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local known = redis.call('HMGET', circuit, 'at', 'faults', 'until', 'probe', 'probeUntil')
local at, faults = tonumber(known[1] or '0'), tonumber(known[2] or '0')
-- 0: closed
local opened = tonumber(known[3] or '0')
local probe, probeUntil = known[4] or '', tonumber(known[5] or '0')
if probeUntil <= now then probe, probeUntil = '', 0 end

local changed = false
local function become(f, u, p, pu)
  faults, opened, probe, probeUntil = f, u, p, pu
  changed = true
end
local isProbe = token ~= '' and token == probe

if event == 'fault' then
  if isProbe then
    become(faults, now + tonumber(ARGV[4]), '', 0)
  elseif opened == 0 then
    local count = faults + 1
    become(count, count >= tonumber(ARGV[3]) and now + tonumber(ARGV[4]) or 0, '', 0)
  end
elseif event == 'success' then
  -- What was begun before it opened says nothing about now.
  if isProbe or (opened == 0 and faults > 0) then become(0, 0, '', 0) end
elseif event == 'probe' then
  if opened > 0 and now >= opened and probe == '' then become(faults, opened, token, now + tonumber(ARGV[5])) end
elseif event == 'drop' then
  if isProbe then become(faults, opened, '', 0) end
end

if changed then
  at = math.max(at + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
  redis.call('HSET', circuit, 'at', string.format('%.0f', at), 'faults', faults,
    'until', string.format('%.0f', opened), 'probe', probe, 'probeUntil', string.format('%.0f', probeUntil))
  redis.call('PEXPIRE', circuit, ARGV[6])
end
return {
  string.format('%.0f', at), tostring(faults),
  opened == 0 and '-1' or string.format('%.0f', math.max(0, opened - now)),
  string.format('%.0f', math.max(0, probeUntil - now)),
  changed and '1' or '0', probe ~= '' and probe == token and '1' or '0'
}
