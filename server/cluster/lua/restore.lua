-- SPDX-License-Identifier: Apache-2.0
-- Load a room anew for a node that knows it up to a position of an epoch; begin it anew from that node's state if the
-- log has lost it, or knows less, or as much and may have lost what others know.
-- ARGV: 1 room, 2 epoch, 3 position, 4 the state there, 5 when it is due or '', 6 how long it is kept (ms),
--   7 PUBLISH or SPUBLISH, 8 the hint to look again, 9 log time of the last that it knows, 10 how long a tombstone is
--   kept (ms): of what is older than that nobody knows any more whether its session was over.
local old, position = tonumber(ARGV[2]), tonumber(ARGV[3])
local room = redis.call('HMGET', ROOM, 'epoch', 'seq', 'born', 'history', 'over')
local buried = math.max(tonumber(redis.call('GET', TOMBSTONE) or -1), tonumber(room[5] or -1))
local forgotten = math.max(old, tonumber(ARGV[9])) + tonumber(ARGV[10])
local lost
if not room[1] then
  if buried >= old or forgotten < tonumber(redis.call('TIME')[1]) * 1000 then
    return {'unknown', history(), 0}
  end
  lost = true
else
  local epoch, seq = tonumber(room[1]), tonumber(room[2])
  if epoch <= old then
    lost = epoch < old or seq < position or (seq == position and room[4] ~= history())
  elseif room[3] == 'first' then
    -- Created by somebody who could not know that there was a room; unless its session was over.
    lost = buried < old and epoch <= forgotten
  else
    -- Restored by somebody who knew less, and nothing has happened since.
    local from_epoch, from_seq = string.match(room[3], '^(%d+)-(%d+)$')
    lost = seq == 0 and tonumber(from_epoch) == old and tonumber(from_seq) < position
  end
end
if not lost then
  return loaded()
end
local highest = math.max(old, tonumber(room[1] or 0), buried)
local answer = begin(ARGV[1], highest, ARGV[2] .. '-' .. ARGV[3], ARGV[4], ARGV[5], ARGV[6])
redis.call(ARGV[7], HINTS, ARGV[8])
return answer
