-- SPDX-License-Identifier: Apache-2.0
-- Append all entries, or none.
-- ARGV: 1 room, 2 epoch, 3 expected position, 4 snapshot or '', 5 when the room is due or '', 6 how long it is kept (ms),
--   7 how long commands are remembered (ms), 8 PUBLISH or SPUBLISH, 9 what goes before the entries in the hint,
--   10 name of the field (the format), 11 how many entries are kept before a snapshot, 12 how many commands,
--   13 how much news is kept, 14 for how long (ms), 15 how much there is here; then the news;
--   then for each entry: command, log time, packed entry.
-- Answers how much older news had to give way, too.
local NEW = 16
local FIRST = NEW + ARGV[15]
local epoch, expected = ARGV[2], tonumber(ARGV[3])
local room = redis.call('HMGET', ROOM, 'epoch', 'seq', 'trimmed', 'at', 'history', 'listed')
if room[1] ~= epoch or room[5] ~= history() then
  return {'epoch', room[1] or 0}
end
local seq = tonumber(room[2])
if seq ~= expected then
  if expected > seq or expected < tonumber(room[3]) then
    return {'conflict', {}}
  end
  return {'conflict', after(epoch, expected)}
end

local commands, scores, packed = {}, {}, {}
local at = tonumber(room[4])
local early = false
for i = FIRST, #ARGV, 3 do
  local time = tonumber(ARGV[i + 1])
  early = early or time < at
  at = time
  commands[#commands + 1] = ARGV[i]
  packed[#packed + 1] = ARGV[i + 2]
end
local count = #commands
if count > 0 then
  local known = redis.call('ZMSCORE', COMMANDS, unpack(commands))
  for i = 1, count do
    if known[i] then
      return {'duplicates', known}
    end
  end
end
if early then
  return {'early'}
end

for i = 1, count do
  redis.call('XADD', ENTRIES, stream_id(epoch, seq + i), ARGV[10], packed[i])
  scores[2 * i - 1] = string.format('%.0f', seq + i)
  scores[2 * i] = commands[i]
end
local last = string.format('%.0f', seq + count)
redis.call('HSET', ROOM, 'seq', last, 'at', string.format('%.0f', at))
if count > 0 then
  redis.call('ZADD', COMMANDS, unpack(scores))
  redis.call('ZREMRANGEBYRANK', COMMANDS, 0, -1 - ARGV[12])
  redis.call('PEXPIRE', COMMANDS, ARGV[7])
end
if ARGV[4] ~= '' then
  redis.call('HSET', ROOM, 'snapshot', ARGV[4], 'snapshot_seq', last, 'snapshot_at', string.format('%.0f', at))
  local trimmed = seq + count - ARGV[11]
  if trimmed > tonumber(room[3]) then
    redis.call('XTRIM', ENTRIES, 'MINID', stream_id(epoch, trimmed + 1))
    redis.call('HSET', ROOM, 'trimmed', string.format('%.0f', trimmed))
  end
end
redis.call('PEXPIRE', ROOM, ARGV[6])
redis.call('PEXPIRE', ENTRIES, ARGV[6])
wake(ARGV[1], ARGV[5], ARGV[6])
if at > tonumber(room[6] or 0) + RELIST_MS then
  list(ARGV[1], string.format('%.0f', at), ARGV[6])
end
for i = NEW, FIRST - 1 do
  redis.call('XADD', NEWS, '*', ARGV[10], ARGV[i])
end
local lost = 0
if FIRST > NEW then
  lost = redis.call('XTRIM', NEWS, 'MAXLEN', ARGV[13])
  redis.call('PEXPIRE', NEWS, ARGV[14])
end
if count > 0 then
  redis.call(ARGV[8], HINTS, ARGV[9] .. table.concat(packed))
end
return {'appended', lost}
